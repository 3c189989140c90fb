# One image for the five services and the mock exchange; docker-compose.yml says which of them runs.
FROM python:3.12-slim-bookworm

WORKDIR /app
ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# Dependencies first: they change less often than the code.
COPY requirements.lock .
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock

COPY config config
COPY scenarios scenarios
COPY shared shared
COPY mock_deribit mock_deribit
COPY services services

# The file system is read-only later: byte code is made now, and /data is the one place to write.
RUN python -m compileall -q shared mock_deribit services && install -d -o 10001 -g 10001 /data

ENV RUN_DIR=/data
USER 10001:10001
