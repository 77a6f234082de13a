import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Child } from '../support/child.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { eventually, GiveUp } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { httpRequest } from '../support/http-client.ts';
import type { Server } from './server.ts';

/** Debian puts it where an ordinary user's PATH does not look. */
const NGINX = '/usr/sbin/nginx';

/** Answers 204 to every write and ping, like an InfluxDB that costs next to nothing. */
export function startSink(t: Cleanup, folder: string, name: string): Promise<Server> {
  const location = 'location / { add_header X-Influxdb-Version 1.8.10; return 204; }';
  return startNginx(t, path.join(folder, name), { location });
}

/** A plain reverse proxy to the server at `to`, over kept-alive connections and with no body on disk. */
export function startReverseProxy(t: Cleanup, folder: string, to: string): Promise<Server> {
  const location = `location / {
      proxy_pass http://upstream_server;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }`;
  const upstream = `upstream upstream_server { server ${new URL(to).host}; keepalive 64; }`;
  return startNginx(t, path.join(folder, 'nginx'), { location, upstream });
}

interface Site {
  readonly location: string;
  readonly upstream?: string;
}

async function startNginx(t: Cleanup, prefix: string, site: Site): Promise<Server> {
  const port = await freePort();
  const config = path.join(prefix, 'nginx.conf');
  await mkdir(prefix);
  await writeFile(config, configOf(site, port));
  const child = await Child.start(NGINX, ['-p', prefix, '-c', config, '-e', 'stderr']);
  t.after(() => (child.isRunning ? child.kill() : undefined));
  const origin = `http://127.0.0.1:${port}`;
  await eventually(`nginx on port ${port}`, async () => {
    if (!child.isRunning) throw new GiveUp(`nginx ended: ${child.stderr}`);
    return (await httpRequest(`${origin}/ping`)).status === 204;
  });
  return { origin, pid: child.pid };
}

/** One process in all: nothing outlives it when it is killed, and its CPU time is that of the one worker. */
function configOf({ location, upstream = '' }: Site, port: number): string {
  return `
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_max_body_size 32m;
  client_body_buffer_size 1m;
  keepalive_requests 1000000000;
  ${upstream}
  server {
    listen 127.0.0.1:${port};
    ${location}
  }
}
`;
}
