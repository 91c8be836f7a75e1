// `node build.mjs WIT OUT AGENT…`: bundles each of these agents with the libraries it imports, and makes one component of all bundles.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentize } from '@bytecodealliance/componentize-js';
import { build } from 'esbuild';
import { defineEnv } from 'unenv';

const here = dirname(fileURLToPath(import.meta.url));
const [wit, out, ...agents] = process.argv.slice(2);

// What libraries import of Node, as bundlers for workers supply it.
const { env } = defineEnv({ nodeCompat: true });
const options = {
  bundle: true,
  write: false,
  platform: 'browser',
  target: 'es2022',
  conditions: ['worker', 'browser', 'import'],
  mainFields: ['browser', 'module', 'main'],
  alias: env.alias,
  define: { global: 'globalThis' },
  minifyWhitespace: true,
  // The engine is built without Unicode's tables: such a pattern is an error where it is used, not in the whole bundle.
  supported: { 'regexp-unicode-property-escapes': false },
  logLevel: 'error',
};
const resolved = {
  name: 'resolved',
  setup(bundle) {
    // Workers have no DOMParser, which the AWS SDK takes browsers by.
    bundle.onResolve({ filter: /^\.\/xml-parser$/ }, ({ resolveDir }) => ({ path: join(resolveDir, 'xml-parser.js') }));
  },
};

async function bundled(agent) {
  const entryPoints = [join(here, 'agents', `${agent}.js`)];
  const built = await build({ ...options, entryPoints, plugins: [resolved], format: 'iife', globalName: 'agent' });
  return [agent, built.outputFiles[0].text];
}

const bundles = Object.fromEntries(await Promise.all(agents.map(bundled)));
const listed = {
  name: 'listed',
  setup(bundle) {
    bundle.onResolve({ filter: /^bundles$/ }, () => ({ path: 'bundles', namespace: 'listed' }));
    bundle.onLoad({ filter: /.*/, namespace: 'listed' }, () => ({ contents: `export const bundles = ${JSON.stringify(bundles)};` }));
  },
};
const whole = `${out}.js`;
const main = { entryPoints: [join(here, 'main.js')], outfile: whole, bundle: true, format: 'esm', external: ['wasi:*'], plugins: [listed] };
await build(main);

const { component } = await componentize({ sourcePath: whole, witPath: wit, worldName: 'agent', disableFeatures: ['fetch-event'] });
await writeFile(out, component);
