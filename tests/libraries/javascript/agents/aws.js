import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { beyond } from '../beyond.js';

// As the library comes: it signs with what stands in the environment.
const client = (env, options) =>
  new S3Client({
    region: 'us-east-1',
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      sessionToken: env.AWS_SESSION_TOKEN,
    },
    ...options,
  });
const Bucket = 'reports';
const KEYS = ['a', '2026/november é.txt', "odd/+ &=?#100% ~(1)!*'@:,$"];

// Text that no two places of have in common.
function text(length) {
  let text = '';
  for (let line = 0; text.length < length; line += 1) text += `${line}\n`;
  return text.slice(0, length);
}

export async function objects({ env, say }) {
  for (const options of [{}, { forcePathStyle: true }]) {
    const store = client(env, options);
    for (const Key of KEYS) {
      const put = await store.send(new PutObjectCommand({ Bucket, Key, Body: `a report: ${Key}`, ContentType: 'text/plain', Metadata: { note: 'a  b' } }));
      const got = await store.send(new GetObjectCommand({ Bucket, Key }));
      const same = (await got.Body.transformToString()) === `a report: ${Key}`;
      const head = await store.send(new HeadObjectCommand({ Bucket, Key }));
      say('object', [put.$metadata.httpStatusCode, same, head.ContentType, head.Metadata.note]);
    }
    const list = await store.send(new ListObjectsV2Command({ Bucket, Prefix: 'odd/+ &' }));
    say('list', list.Contents.map((each) => each.Key));
    for (const Key of KEYS) await store.send(new DeleteObjectCommand({ Bucket, Key }));
    try {
      await store.send(new GetObjectCommand({ Bucket, Key: KEYS[0] }));
    } catch (error) {
      say('error', [error.name, error.$metadata?.httpStatusCode]);
    }
  }
}

// Longer bodies that are signed whole, each with the checksum that is asked for.
export async function long({ env, say }) {
  const store = client(env);
  for (const ChecksumAlgorithm of ['CRC32', 'SHA256']) {
    const put = await store.send(new PutObjectCommand({ Bucket, Key: 'long', Body: text(300_000), ChecksumAlgorithm }));
    const got = await store.send(new GetObjectCommand({ Bucket, Key: 'long', ChecksumMode: 'ENABLED' }));
    say('long', [put.$metadata.httpStatusCode, (await got.Body.transformToString()) === text(300_000)]);
  }
}

export async function multipart({ env, say }) {
  const store = client(env);
  const object = { Bucket, Key: 'parts é' };
  const { UploadId } = await store.send(new CreateMultipartUploadCommand(object));
  const bodies = [text(100_000), 'and the end'];
  const parts = [];
  for (const [at, Body] of bodies.entries()) {
    const PartNumber = at + 1;
    const { ETag, ChecksumCRC32 } = await store.send(new UploadPartCommand({ ...object, UploadId, PartNumber, Body }));
    parts.push({ PartNumber, ETag, ChecksumCRC32 });
  }
  await store.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts: parts } }));
  const got = await store.send(new GetObjectCommand(object));
  say('multipart', (await got.Body.transformToString()) === bodies.join(''));
}

// URLs that the agent signs and fetches by itself.
export async function presigned({ env, say }) {
  const store = client(env);
  const object = { Bucket, Key: '2026/november é.txt' };
  const put = await getSignedUrl(store, new PutObjectCommand({ ...object, ContentType: 'text/plain' }), { expiresIn: 60 });
  const stored = await fetch(put, { method: 'PUT', headers: { 'content-type': 'text/plain' }, body: 'a report' });
  const got = await fetch(await getSignedUrl(store, new GetObjectCommand(object), { expiresIn: 60 }));
  say('presigned', [stored.status, got.status, await got.text()]);
}

// What the manifest of `examples/apis` is for, then what it is not for: an agent that asks for this is denied.
export async function documented({ env }) {
  const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY };
  const store = new S3Client({ region: env.AWS_REGION, credentials, maxAttempts: 1 });
  const object = { Bucket: 'my-bucket', Key: 'reports/2026/a b.txt' };
  await store.send(new PutObjectCommand({ ...object, Body: 'a report' }));
  const { Body } = await store.send(new GetObjectCommand(object));
  await Body.transformToString();
  await store.send(new HeadObjectCommand(object));
  await store.send(new ListObjectsV2Command({ Bucket: 'my-bucket', Prefix: 'reports/' }));
  await beyond(() => store.send(new DeleteObjectCommand(object)));
  await beyond(() => store.send(new PutObjectCommand({ ...object, Key: 'elsewhere.txt', Body: 'a report' })));
  await beyond(() => store.send(new PutBucketPolicyCommand({ Bucket: 'my-bucket', Policy: '{}' })));
}
