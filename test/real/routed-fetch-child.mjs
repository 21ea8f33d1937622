// Sends requests through a route to an HTTPS server under names that do not resolve, and prints each result as JSON.
// Usage: node routed-fetch-child.mjs PORT NAME…: the names are those in the URLs, all served by 127.0.0.1:PORT.
import { setMaxListeners } from 'node:events'
import { routedFetch } from '../../build/stores/s3/routed-fetch.js'

const [port, ...names] = process.argv.slice(2)
const { signal } = new AbortController()
setMaxListeners(0, signal)
const fetch = routedFetch(async () => ({ host: '127.0.0.1', port: Number(port) }))

async function asked(name, method) {
  const url = `https://${name}:${port}/a%20key?list-type=2`
  try {
    const headers = new Headers({ 'x-amz-date': 'today' })
    const answer = await fetch(url, { method, headers, body: null, redirect: 'manual', signal })
    let body = ''
    for await (const piece of answer.body ?? []) body += Buffer.from(piece).toString()
    return { status: answer.status, length: answer.headers.get('content-length'), body }
  } catch (error) {
    return { code: error.code }
  }
}

const answers = []
for (const name of names) for (const method of ['HEAD', 'GET', 'GET']) answers.push(await asked(name, method))
process.stdout.write(JSON.stringify(answers))
