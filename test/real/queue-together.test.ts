/** Workers that start together on many hosts, as after a power failure, create one queue. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { openQueue } from '../../src/app/share/queues.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'

const PROGRAMS = 4

test.skipIf(!POSTGRES_OWN)(`programs that wait for one another create one queue ${POSTGRES_MISSING}`, async () => {
  await using server = await startPostgres({ extraSettings: ['max_connections=200'] })
  await server.createDatabase('queue')
  // The tables of graphile-worker exist already: the worker that creates them checks everything again.
  await (await openQueue(server.url('queue'), 'work'))[Symbol.asyncDispose]()
  const first = new pg.Client(server.url('queue'))
  await first.connect()
  await first.query('DROP SCHEMA sluice_queue CASCADE')
  // A session creates the schema and is cut off: all others wait for it, and then create the schema at once.
  await first.query('BEGIN; CREATE SCHEMA sluice_queue')
  const opening = Promise.allSettled(Array.from({ length: PROGRAMS }, () => openQueue(server.url('queue'), 'work')))
  const waiting = 'SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted'
  while ((await first.query<{ n: number }>(waiting)).rows[0]?.n !== PROGRAMS) await sleep(20)
  await first.end()
  const opened = await opening
  for (const one of opened) if (one.status === 'fulfilled') await one.value[Symbol.asyncDispose]()
  expect(opened.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))).toEqual([])
})
