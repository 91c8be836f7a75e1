import { work } from './octokit.mjs';

const github = await work(process.env.GITHUB_TOKEN);
await github.users.getAuthenticated();
