import { Octokit } from '@octokit/rest';
import { beyond } from '../beyond.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const client = (env) => new Octokit({ auth: env.GITHUB_TOKEN, log: quiet });
const REPO = { owner: 'example', repo: 'room' };

export async function issues({ env, say }) {
  const github = client(env);
  const { data: user } = await github.users.getAuthenticated();
  say('user', [user.login, user.bio === env.GITHUB_TOKEN]);
  const { data: issue } = await github.issues.create({ ...REPO, title: 'A title', labels: ['a b'] });
  say('issue', issue.number);
  const titles = await github.paginate(github.issues.listForRepo, { ...REPO, per_page: 2 }, (page) => page.data.map((each) => each.title));
  say('titles', titles);
}

// A slash in a parameter goes out as `%2F`.
export async function slashes({ env, say }) {
  const github = client(env);
  const { data: file } = await github.repos.getContent({ ...REPO, path: 'src/lib.rs' });
  say('file', atob(file.content));
  const { data: ref } = await github.git.getRef({ ...REPO, ref: 'heads/main' });
  say('ref', ref.object.sha);
  const written = await github.repos.createOrUpdateFileContents({ ...REPO, path: 'docs/a b.md', message: 'x', content: btoa('text') });
  say('written', written.status);
}

export async function refused({ env, say }) {
  try {
    await client(env).pulls.get({ ...REPO, pull_number: 7 });
  } catch (error) {
    say('error', [error.name, error.status, error.response.data.message]);
  }
}

// 204, and an answer that nobody reads.
export async function empty({ env, say }) {
  const github = client(env);
  const starred = await github.activity.starRepoForAuthenticatedUser(REPO);
  say('starred', starred.status);
}

// What the manifest of `examples/apis` is for, then what it is not for: an agent that asks for this is denied.
async function documented(auth) {
  const github = new Octokit({ auth, log: quiet });
  const repository = { owner: 'OWNER', repo: 'REPOSITORY' };
  await github.repos.get(repository);
  await github.repos.getContent({ ...repository, path: 'README.md' });
  await github.repos.getContent({ ...repository, path: 'src/lib.rs' });
  await github.git.getRef({ ...repository, ref: 'heads/main' });
  await github.issues.listForRepo(repository);
  await github.issues.create({ ...repository, title: 'A title' });
  await github.issues.createComment({ ...repository, issue_number: 7, body: 'A comment' });
  await beyond(() => github.repos.createDeployKey({ ...repository, key: 'ssh-ed25519 AAAA', read_only: false }));
  await beyond(() => github.repos.delete(repository));
  await beyond(() => github.repos.createInOrg({ org: 'OWNER', name: 'another' }));
  return github;
}

export async function token({ env }) {
  const github = await documented(env.GITHUB_TOKEN);
  await github.users.getAuthenticated();
}

// An installation of an App.
export async function app({ env }) {
  const github = await documented(env.GITHUB_APP);
  await beyond(() => github.apps.createInstallationAccessToken({ installation_id: 1234567 }));
}
