import eslint from '@eslint/js';
import regexp from 'eslint-plugin-regexp';
import tseslint from 'typescript-eslint';

/** `process.env` is read in one place, so that everything else says what it depends on. */
const noEnvironment = {
  'no-restricted-properties': [
    'error',
    {
      object: 'process',
      property: 'env',
      message: 'Configuration is read in main.ts and passed on.',
    },
  ],
};

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'coverage/',
      'node_modules/',
      'src/generated/',
      'test/support/generated/',
      'web/graphiql/dist/',
      'web/dist/',
      'web/app/src/gql/',
      'web/graphiql/src/gql/',
      'web/app/src/paraglide/',
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  regexp.configs.recommended,
  {
    settings: { regexp: { allowedCharacterRanges: ['alphanumeric', '!-~'] } },
    rules: {
      // Text from outside must not be able to hold up the process: see test/architecture/regular-expressions.test.ts.
      'regexp/no-super-linear-backtracking': ['error', { report: 'potential' }],
      'regexp/no-super-linear-move': ['error', { report: 'potential' }],
      'regexp/no-misleading-capturing-group': 'error',
      'regexp/no-misleading-unicode-character': 'error',
      'regexp/no-control-character': 'error',
      // How an expression is spelt is up to its author; only what it does is judged.
      'regexp/match-any': 'off',
      'regexp/use-ignore-case': 'off',
      'regexp/no-useless-lazy': 'off',
    },
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { varsIgnorePattern: '^_', argsIgnorePattern: '^_' },
      ],
      // Errors that are worth reading are made by their own constructors.
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      // Rows and answers are read by their names in brackets where the compiler asks for it.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/main.ts', 'src/environment.ts', 'src/cli/**', 'src/infra/postgres/**'],
    rules: noEnvironment,
  },
  {
    // Decorators keep the types of parameters as values: what looks like a type import is none.
    files: ['src/resolvers/**/*.ts'],
    rules: {
      '@typescript-eslint/consistent-type-imports': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      // The classes describe types to GraphQL; what resolvers return are plain rows of the same shape.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'max-lines': 'off', 'max-lines-per-function': 'off', 'no-console': 'off' },
  },
  { files: ['web/graphiql/src/examples.ts'], rules: { 'max-lines-per-function': 'off' } },
  {
    files: ['web/app/**/*.ts', 'web/app/**/*.tsx'],
    rules: {
      // Handlers of events are short and return nothing.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    // Sent to browsers as it is, before anything is drawn.
    files: ['web/app/public/*.js'],
    languageOptions: {
      globals: { document: 'readonly', localStorage: 'readonly', navigator: 'readonly' },
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: { globals: { Buffer: 'readonly', process: 'readonly', URL: 'readonly' } },
  },
);
