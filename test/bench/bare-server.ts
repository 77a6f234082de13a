import { createServer } from 'node:http';

// The program that `startBareServer` runs: the least that a server on node:http can do with a write.
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(204).end();
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1');
