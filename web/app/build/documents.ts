import { join, relative, dirname, sep } from 'node:path';
import type { Plugin } from 'vite';

const CALL = /\bgraphql\(\s*`\s*(query|mutation|subscription|fragment)\s+(\w+)\b[^`]*`,?\s*\)/g;
const IMPORT = /^import \{ graphql \} from '[^']*';$/m;

/**
 * Replaces `graphql(…)` by the document that codegen has made of it. The function itself looks documents up in one table
 * of all of them, so that each part of the app would load the documents of all other parts.
 */
export function documents(): Plugin {
  let root = '';
  return {
    name: 'talebank:documents',
    enforce: 'pre',
    configResolved(config) {
      root = config.root;
    },
    transform(code, id) {
      if (!/\/src\/.*\.tsx?$/.test(id) || !IMPORT.test(code)) return null;
      const names = new Set<string>();
      const replaced = code.replaceAll(CALL, (_call, kind: string, name: string) => {
        const document = `${name}${kind === 'fragment' ? 'FragmentDoc' : 'Document'}`;
        names.add(document);
        return document;
      });
      const from = relative(dirname(id), join(root, 'src/gql/graphql.js')).split(sep).join('/');
      const path = from.startsWith('.') ? from : `./${from}`;
      return {
        code: replaced.replace(IMPORT, `import { ${[...names].join(', ')} } from '${path}';`),
        map: null,
      };
    },
  };
}
