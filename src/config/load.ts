import { readFileSync } from 'node:fs';
import { codeOf, messageOf, ProxyError } from '../core/errors.ts';
import { type DuplicateKey, parseJson } from './json.ts';
import { formatPath, type Problem, problemsOf } from './problems.ts';
import { ruleProblems } from './rules.ts';
import { type Config, configSchema } from './schema.ts';

/**
 * The configuration, complete with defaults and deeply frozen. Otherwise throws CONFIG_INVALID; its message has a line
 * for every problem, so that an operator fixes the file in one go.
 */
export function loadConfig(filePath: string): Config {
  const { value, duplicates } = parseFile(filePath);
  const result = configSchema.safeParse(value);
  const issues = result.error?.issues ?? [];
  const problems = [
    ...duplicates.map(duplicateProblem),
    ...issues.flatMap((issue) => problemsOf(issue, value)),
    ...ruleProblems(value),
  ];
  if (!result.success || problems.length > 0) {
    throw invalid(problems.map((problem) => formatProblem(filePath, problem)).join('\n'));
  }
  return deepFreeze(result.data);
}

function parseFile(filePath: string): ReturnType<typeof parseJson> {
  const text = readText(filePath);
  try {
    return parseJson(text);
  } catch (error) {
    throw invalid(`${filePath}: not JSON: ${messageOf(error)}`, error);
  }
}

function readText(filePath: string): string {
  try {
    // Fatal, so that a measurement's name in another encoding is not quietly changed. Drops a byte order mark.
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(filePath));
  } catch (error) {
    const reason = error instanceof TypeError ? 'is not UTF-8 text' : 'cannot be read';
    throw invalid(`${filePath}: ${reason} (${codeOf(error) ?? messageOf(error)})`, error);
  }
}

function duplicateProblem({ path, line }: DuplicateKey): Problem {
  return { path, text: `found a second time in line ${line}, expected once` };
}

function formatProblem(filePath: string, { path, text }: Problem): string {
  return [filePath, formatPath(path), text].filter((part) => part !== '').join(': ');
}

function invalid(message: string, cause?: unknown): ProxyError {
  return new ProxyError('CONFIG_INVALID', message, { cause });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
