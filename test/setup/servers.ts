/**
 * The servers of a test run: each is started when the first test file requests it, shared by all later files, and
 * stopped at the end of the run. Test files request servers over HTTP, because they run in their own processes.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { PlantsTaken } from '../support/servers/planted.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    serverBroker: string
  }
}

export type Answer = { readonly url: string } | { readonly missing: string }

type Server = { readonly answer: Answer; readonly stop: () => Promise<void> }

const STARTERS: Readonly<Record<string, () => Promise<Server>>> = {
  postgresql: async () => {
    const { POSTGRES_AVAILABLE, POSTGRES_MISSING, startPostgres } = await import('../support/servers/postgresql.ts')
    if (!POSTGRES_AVAILABLE) return absent(POSTGRES_MISSING)
    const server = await startPostgres()
    await server.createDatabase('catalogs')
    return { answer: { url: server.url('catalogs') }, stop: async () => await server[Symbol.asyncDispose]() }
  },
  mysql: async () => {
    const { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb } = await import('../support/servers/mariadb.ts')
    if (!MARIADB_AVAILABLE) return absent(MARIADB_MISSING)
    const server = await startMariadb()
    return { answer: { url: server.url() }, stop: () => server.stop() }
  },
  d1: async () => {
    const { D1_AVAILABLE, D1_MISSING, startD1 } = await import('../support/servers/d1.ts')
    if (!D1_AVAILABLE) return absent(D1_MISSING)
    const server = await startD1()
    return { answer: { url: server.url }, stop: () => server.stop() }
  },
  cassandra: async () => {
    const { CASSANDRA_AVAILABLE, CASSANDRA_MISSING, startCassandra } = await import('../support/servers/cassandra.ts')
    if (!CASSANDRA_AVAILABLE) return absent(CASSANDRA_MISSING)
    const cluster = await startCassandra({ heapMb: 512, forgetful: true })
    return { answer: { url: cluster.url() }, stop: () => cluster.stop() }
  },
}

function absent(missing: string): Server {
  return { answer: { missing }, stop: async () => undefined }
}

export default async function serveServers(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  // Every project of a run calls this, each from its own copy of this module.
  const running = process.env['SLUICE_TEST_BROKER']
  const broker = running === undefined ? await startBroker() : null
  process.env['SLUICE_TEST_BROKER'] ??= broker?.url
  project.provide('serverBroker', running ?? broker?.url ?? '')
  return broker?.stop
}

async function startBroker(): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const started = new Map<string, Promise<Server>>()
  const http = createServer((request, response) => {
    const name = (request.url ?? '').slice(1)
    const start = STARTERS[name]
    if (start === undefined) return void response.writeHead(404).end()
    const server = started.get(name) ?? start()
    started.set(name, server)
    server.then(
      ({ answer }) => response.end(JSON.stringify(answer)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((ready) => http.listen(0, '127.0.0.1', ready))
  http.unref()
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    stop: async () => {
      http.close()
      const ends = await Promise.allSettled([...started.values()].map(async (server) => await (await server).stop()))
      // The test files that requested a server have already reported that it did not start.
      for (const end of ends) if (end.status === 'rejected' && end.reason instanceof PlantsTaken) throw end.reason
    },
  }
}
