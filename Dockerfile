# One image for web, worker and beat; compose.yaml says which it is.
FROM python:3.12-slim-bookworm AS compiler
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
COPY tasks_app/csv_files/scan_block.c .
RUN cc -O3 -shared -fPIC -o scan_block.so scan_block.c

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 piston
WORKDIR /app
RUN python -m venv .venv
COPY requirements.txt .
RUN .venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY . .
COPY --from=compiler scan_block.so tasks_app/csv_files/
RUN mkdir /data && chown piston /data

USER piston
ENV PISTON_DATA_DIR=/data PISTON_BIND_ADDRESS=0.0.0.0 REMAP_SIGTERM=SIGQUIT PYTHONUNBUFFERED=1
EXPOSE 8000
# web unless another process of the Procfile is named: docker run IMAGE worker
ENTRYPOINT ["/bin/sh", "-c", "exec $(sed -n \"s/^$0: //p\" Procfile)"]
CMD ["web"]
