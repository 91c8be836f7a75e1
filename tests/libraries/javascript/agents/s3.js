import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';

// A store that speaks S3 and takes a bearer token (as Google's XML API does): there is nothing to sign that the agent could.
const client = (env) =>
  new S3Client({
    region: 'auto',
    endpoint: 'https://storage.example',
    forcePathStyle: true,
    credentials: { accessKeyId: 'unused', secretAccessKey: 'unused' },
    signer: {
      async sign(request) {
        request.headers.authorization = `Bearer ${env.STORAGE_TOKEN}`;
        return request;
      },
    },
  });
const OBJECT = { Bucket: 'reports', Key: '2026/november é.txt' };

export async function objects({ env, say }) {
  const store = client(env);
  const put = await store.send(new PutObjectCommand({ ...OBJECT, Body: 'a report', ContentType: 'text/plain' }));
  say('put', put.$metadata.httpStatusCode);
  const got = await store.send(new GetObjectCommand(OBJECT));
  say('got', await got.Body.transformToString());
  const head = await store.send(new HeadObjectCommand(OBJECT));
  say('head', [head.ContentLength, head.ContentType]);
  const list = await store.send(new ListObjectsV2Command({ Bucket: 'reports', Prefix: '2026/' }));
  say('list', list.Contents.map((each) => [each.Key, each.Size]));
}

// The ETag of each part is asked for at the end.
export async function multipart({ env, say }) {
  const store = client(env);
  const { UploadId } = await store.send(new CreateMultipartUploadCommand(OBJECT));
  const parts = [];
  for (const PartNumber of [1, 2]) {
    const { ETag } = await store.send(new UploadPartCommand({ ...OBJECT, UploadId, PartNumber, Body: `part ${PartNumber}` }));
    parts.push({ PartNumber, ETag });
  }
  say('tags', parts.map((part) => part.ETag ?? null));
  const done = await store.send(new CompleteMultipartUploadCommand({ ...OBJECT, UploadId, MultipartUpload: { Parts: parts } }));
  say('done', done.Location);
}

// What was stored from a stream carries its framing's name as a coding.
export async function framed({ env, say }) {
  const got = await client(env).send(new GetObjectCommand(OBJECT));
  say('got', await got.Body.transformToString());
}

export async function missing({ env, say }) {
  try {
    await client(env).send(new GetObjectCommand({ Bucket: 'reports', Key: 'none' }));
  } catch (error) {
    say('error', [error.name, error.$metadata.httpStatusCode]);
  }
}
