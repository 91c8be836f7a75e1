// GitHub's library, for a personal access token and for an installation of an App alike.
import { Octokit } from '@octokit/rest';

const REPO = { owner: 'OWNER', repo: 'REPOSITORY' };

export async function work(auth) {
  const github = new Octokit({ auth });
  await github.repos.get(REPO);
  await github.repos.getContent({ ...REPO, path: 'README.md' });
  await github.repos.getContent({ ...REPO, path: 'src/lib.rs' });
  await github.git.getRef({ ...REPO, ref: 'heads/main' });
  await github.issues.listForRepo(REPO);
  await github.issues.create({ ...REPO, title: 'A title' });
  await github.issues.createComment({ ...REPO, issue_number: 7, body: 'A comment' });

  // What the manifest is not for.
  await github.repos.createDeployKey({ ...REPO, key: 'ssh-ed25519 AAAA', read_only: false });
  await github.repos.delete(REPO);
  await github.repos.createInOrg({ org: 'OWNER', name: 'another' });
  return github;
}
