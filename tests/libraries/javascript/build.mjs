// `node build.mjs WIT OUT AGENT…`: bundles these agents with the libraries they import, and makes one component of them.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentize } from '@bytecodealliance/componentize-js';
import { build } from 'esbuild';
import { defineEnv } from 'unenv';

const here = dirname(fileURLToPath(import.meta.url));
const [wit, out, ...agents] = process.argv.slice(2);

const list = agents.map((agent) => `${JSON.stringify(agent)}: () => import(${JSON.stringify(join(here, 'agents', `${agent}.js`))})`);
const resolved = {
  name: 'resolved',
  setup(bundle) {
    bundle.onResolve({ filter: /^agents$/ }, () => ({ path: 'agents', namespace: 'listed' }));
    bundle.onLoad({ filter: /.*/, namespace: 'listed' }, () => ({
      contents: `export const agents = { ${list.join(', ')} };`,
      resolveDir: here,
    }));
    // Workers have no DOMParser, which the AWS SDK takes browsers by.
    bundle.onResolve({ filter: /^\.\/xml-parser$/ }, ({ resolveDir }) => ({ path: join(resolveDir, 'xml-parser.js') }));
  },
};

// What libraries import of Node, as bundlers for workers supply it.
const { env } = defineEnv({ nodeCompat: true });
// One exchange of ccxt's hundred: what is loaded when it is asked for is bundled whole.
const exchange = { 'ccxt/alpaca': join(here, 'node_modules/ccxt/js/src/alpaca.js') };
const bundled = `${out}.js`;
await build({
  entryPoints: [join(here, 'main.js')],
  outfile: bundled,
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  conditions: ['worker', 'browser', 'import'],
  mainFields: ['browser', 'module', 'main'],
  alias: { ...env.alias, ...exchange },
  define: { global: 'globalThis' },
  // The engine is built without Unicode's tables: such a pattern is an error where it is used, not in the whole bundle.
  supported: { 'regexp-unicode-property-escapes': false },
  external: ['wasi:*'],
  plugins: [resolved],
  logLevel: 'error',
});

const { component } = await componentize({ sourcePath: bundled, witPath: wit, worldName: 'agent', disableFeatures: ['fetch-event'] });
await writeFile(out, component);
