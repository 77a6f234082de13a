import tseslint from 'typescript-eslint';

const bareNodeImport = {
  regex: '^(crypto|events|fs|http|net|os|path|stream|timers|url|util|zlib)(/|$)',
  message: 'Use the node: prefix.',
};
const undiciOutsideBackend = {
  regex: '^undici$',
  message: 'Only src/backend talks to undici.',
};
// `test(...)` returns a promise that the runner itself awaits.
const awaitedByTheRunner = {
  from: 'package',
  package: 'node:test',
  name: ['test', 'suite', 'describe', 'it'],
};

export default tseslint.config(
  // AssemblyScript, which looks like TypeScript: its own compiler checks it.
  { ignores: ['dist/', 'src/lineprotocol/wasm/'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipComments: true }],
      'max-params': ['error', 4],
      'no-console': 'error',
      'no-restricted-imports': ['error', { patterns: [bareNodeImport, undiciOutsideBackend] }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/core/time.ts', 'src/cli.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'setTimeout', message: 'Use the Clock of core/time.ts.' },
        { name: 'setInterval', message: 'Use the Clock of core/time.ts.' },
        { name: 'process', message: 'Only cli.ts knows the process.' },
      ],
    },
  },
  {
    files: ['src/backend/**/*.ts', 'test/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [bareNodeImport] }] },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [awaitedByTheRunner] },
      ],
    },
  },
);
