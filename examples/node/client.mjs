// What a program does with enigma.v1.Inference: models, a stream of text, a chat, embeddings, deadline, cancellation.
//
//   npm ci
//   node client.mjs --address localhost:50051 --ca cluster-ca.crt --model NAME
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const { values: flags } = parseArgs({
  options: {
    address: { type: 'string', default: 'localhost:50051' },
    ca: { type: 'string' }, // the cluster's CA certificate (PEM); without it the connection is not encrypted
    'server-name': { type: 'string', default: 'coordinator.enigma.internal' },
    key: { type: 'string' }, // an API key, enk-...; not needed on the coordinator's own machine
    model: { type: 'string' },
    prompt: { type: 'string', default: 'Once upon a time' },
  },
});

const root = fileURLToPath(new URL('../..', import.meta.url));
const definition = protoLoader.loadSync('proto/inference.proto', {
  includeDirs: [root],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
});
const { Inference } = grpc.loadPackageDefinition(definition).enigma.v1;

function connect() {
  if (!flags.ca) return new Inference(flags.address, grpc.credentials.createInsecure());
  return new Inference(flags.address, grpc.credentials.createSsl(readFileSync(flags.ca)), {
    'grpc.ssl_target_name_override': flags['server-name'],
  });
}

const client = connect();
const metadata = new grpc.Metadata();
if (flags.key) metadata.set('authorization', `Bearer ${flags.key}`);
const within = (ms) => ({ deadline: Date.now() + ms });
// A unary method as a promise.
const call = (method) => promisify(client[method].bind(client));

// A stream of GenerateChunk; greedy, so that the same prompt gives the same text.
function generate(prompt, max_tokens, ms = 60_000) {
  const request = { model: flags.model, sampling: { temperature: 0, max_tokens }, ...prompt };
  return client.Generate(request, metadata, within(ms));
}

async function printStream(title, stream) {
  process.stdout.write(`${title}: `);
  for await (const chunk of stream) {
    process.stdout.write(chunk.text);
    if (chunk.finish_reason) console.log(` [${chunk.finish_reason}]`);
  }
}

async function showModels() {
  const { models } = await call('ListModels')({}, metadata, within(10_000));
  console.log('models: ' + models.map((m) => `${m.name} (${m.ready ? 'ready' : 'not loaded'})`).join(', '));
  return models.find((m) => m.name === flags.model);
}

async function showChat() {
  const messages = [
    { role: 'system', content: 'You are brief.' },
    { role: 'user', content: 'Tell me a story.' },
  ];
  await printStream('chat', generate({ chat: { messages } }, 24));
}

async function showEmbeddings() {
  const texts = ['The cat sleeps.', 'A cat is sleeping.', 'Rain fell on the sea.'];
  const request = { model: flags.model, input: texts.map((text) => ({ text })) };
  const { embeddings } = await call('Embed')(request, metadata, within(60_000));
  const [first, ...others] = embeddings.map((e) => e.values);
  // Of unit length, so the product is the cosine of the angle between them.
  const likeness = others.map((v) => first.reduce((sum, a, i) => sum + a * v[i], 0).toFixed(3));
  console.log(`embeddings: ${first.length} numbers each; likeness ${likeness.join(' and ')}`);
}

async function showDeadline() {
  try {
    for await (const _ of generate({ prompt: flags.prompt }, 400, 5));
    console.log('deadline: met');
  } catch (error) {
    console.log(`deadline: ${grpc.status[error.code]}`);
  }
}

async function showCancellation() {
  const stream = generate({ prompt: flags.prompt }, 400);
  try {
    for await (const _ of stream) stream.cancel(); // the server frees the place within one step
  } catch (error) {
    console.log(`cancellation: ${grpc.status[error.code]}`);
  }
}

try {
  const model = await showModels();
  await printStream('text', generate({ prompt: flags.prompt }, 24));
  if (model?.has_chat_template) {
    await showChat();
  } else {
    console.log('chat: the model has no chat template');
  }
  await showEmbeddings();
  await showDeadline();
  await showCancellation();
} catch (error) {
  console.error(`${grpc.status[error.code] ?? 'error'}: ${error.details ?? error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}
