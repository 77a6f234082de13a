import { decodeLine } from '../lineprotocol/decode.ts';
import { measurementName } from '../lineprotocol/measurement.ts';
import { scanLines } from '../lineprotocol/scanner.ts';
import type { Keymap } from '../routing/keymap.ts';

/** For each line of line protocol where the proxy would send it, as text for an operator. */
export function explainLines(body: Buffer, keymap: Keymap): { text: string; valid: boolean } {
  const blocks: string[] = [];
  let valid = true;
  scanLines(body, 'ns', {
    point: (start, measurementEnd, end) => {
      const measurement = measurementName(body, start, measurementEnd);
      blocks.push(explainPoint(body.toString('utf8', start, end), measurement, keymap));
    },
    invalid: (start, end, reason) => {
      valid = false;
      blocks.push(`line         ${body.toString('utf8', start, end)}\nrefused      ${reason}\n`);
    },
  });
  return { text: blocks.join('\n'), valid };
}

function explainPoint(line: string, measurement: string, keymap: Keymap): string {
  const route = keymap.routeOf(measurement);
  const decoded = decodeLine(line);
  return [
    `line         ${line}`,
    `measurement  ${measurement}`,
    `backends     ${route?.backends.join(', ') ?? 'none: no keymap names it, and there is no _default_'}`,
    ...(decoded === undefined
      ? []
      : [`tags         ${pairs(decoded.tags)}`, `fields       ${pairs(decoded.fields)}`]),
    '',
  ].join('\n');
}

function pairs(values: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}
