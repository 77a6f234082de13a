import path from 'node:path';

type Section = Readonly<Record<string, string | number | boolean>>;

/** Section -> key -> value; the section `''` is the top of the file. */
export type InfluxdSettings = Readonly<Record<string, Section>>;

/** The text of a configuration file for an influxd that keeps to `folder`, 127.0.0.1 and itself. */
export function influxdConfig(folder: string, port: number, settings: InfluxdSettings): string {
  const defaults: InfluxdSettings = {
    // The top must come first: what follows a section's head belongs to it.
    '': { 'reporting-disabled': true, 'bind-address': '127.0.0.1:0' },
    meta: { dir: path.join(folder, 'meta'), 'logging-enabled': false },
    data: {
      dir: path.join(folder, 'data'),
      'wal-dir': path.join(folder, 'wal'),
      'query-log-enabled': false,
    },
    coordinator: {},
    // Its own statistics would be a database and writes that no test made.
    monitor: { 'store-enabled': false },
    http: { 'bind-address': `127.0.0.1:${port}`, 'log-enabled': false },
    continuous_queries: { 'log-enabled': false },
    logging: { level: 'error', 'suppress-logo': true },
  };
  const names = new Set([...Object.keys(defaults), ...Object.keys(settings)]);
  return [...names]
    .map((name) => sectionText(name, { ...defaults[name], ...settings[name] }))
    .join('\n');
}

function sectionText(name: string, section: Section): string {
  const head = name === '' ? [] : [`[${name}]`];
  // TOML writes these strings, numbers and booleans as JSON does.
  const lines = Object.entries(section).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return [...head, ...lines, ''].join('\n');
}
