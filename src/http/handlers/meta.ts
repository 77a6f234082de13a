import type { Handler } from '../routes.ts';

/** `GET /meta`: the proxy, its backends and keymaps as JSON, without secrets. */
export function metaHandler(describe: () => unknown): Handler {
  return () => ({ status: 200, json: describe() });
}
