-- The roles that a dump of this database names: owners, those with privileges, and logins of BI tools and of the service.
WITH RECURSIVE named (oid) AS (
  SELECT s.refobjid
    FROM pg_shdepend AS s
   WHERE s.refclassid = 'pg_authid'::regclass AND s.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
  UNION
  SELECT d.datdba FROM pg_database AS d WHERE d.datname = current_database()
  UNION
  SELECT b.role::oid FROM core.bi_login AS b
), members (oid) AS (
  SELECT n.oid FROM named AS n
  UNION
  SELECT m.member
    FROM members AS g
    JOIN pg_auth_members AS m ON m.roleid = g.oid
    JOIN pg_roles AS r ON r.oid = g.oid AND r.rolname IN ('bi_reader', 'bi_tenant', 'hyperpulse_service')
)
SELECT r.rolname AS name, r.rolcanlogin AND NOT r.rolsuper AS can_login, r.rolcreaterole AND NOT r.rolsuper AS create_role,
       r.rolconnlimit AS connections,
       ARRAY(SELECT g.rolname::text
               FROM pg_auth_members AS m
               JOIN pg_roles AS g ON g.oid = m.roleid
              WHERE m.member = r.oid AND g.rolname IN ('bi_reader', 'bi_tenant', 'hyperpulse_service')
              ORDER BY 1) AS member_of,
       ARRAY(SELECT unnest(s.setconfig)
               FROM pg_db_role_setting AS s
              WHERE s.setrole = r.oid AND s.setdatabase = 0) AS settings
  FROM members AS x
  JOIN pg_roles AS r USING (oid)
 WHERE r.rolname !~ '^pg_'
 ORDER BY 1
