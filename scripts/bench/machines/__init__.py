"""What clients notice while machines behind a balancer are upgraded, one after the other."""
