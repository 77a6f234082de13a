/**
 * undici's pool without its fetch, web sockets, caches and mocks, which the package's main module loads as well: a fifth of
 * the time to start, and 7 MB of memory. No documented path: hence the narrow version range in package.json.
 */
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}
