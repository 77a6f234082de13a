import { isIPv6 } from 'node:net';

export interface ListenAddress {
  /** Undefined: every interface. */
  readonly host: string | undefined;
  /** 0: any free port. */
  readonly port: number;
}

/** `host:port`, `:port` or `[IPv6]:port`; undefined for anything else. */
export function parseListenAddr(listenAddr: string): ListenAddress | undefined {
  const match = /^(?:\[(?<ipv6>[^\]]*)\]|(?<name>[\w.-]*)):(?<port>\d{1,5})$/.exec(listenAddr);
  const { ipv6, name = '', port } = match?.groups ?? {};
  if (port === undefined || Number(port) > 65_535) return undefined;
  if (ipv6 !== undefined && !isIPv6(ipv6)) return undefined;
  const host = ipv6 ?? name;
  return { host: host === '' ? undefined : host, port: Number(port) };
}
