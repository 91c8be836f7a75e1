// One component for several libraries: `LIBRARY CASE` as arguments. Each is loaded when it is asked for, so that none is in another's way.
import { getArguments, getEnvironment } from 'wasi:cli/environment@0.2.12';
import { agents } from 'agents';

// Lines of JSON are what a test compares.
const say = (name, value) => console.log(JSON.stringify({ [name]: value }));

export const run = {
  async run() {
    const [library, name] = getArguments().slice(-2);
    const env = Object.fromEntries(getEnvironment());
    globalThis.process ??= { env: {} };
    try {
      const agent = await agents[library]();
      await agent[name]({ env, say });
    } catch (error) {
      say('failed', described(error));
      throw error;
    }
  },
};

// A library's error with its cause: what a person would look at.
function described(error) {
  const cause = error?.cause ? ` (${described(error.cause)})` : '';
  return `${error?.name ?? typeof error}: ${error?.message ?? error}${cause}`;
}
