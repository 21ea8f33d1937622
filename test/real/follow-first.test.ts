/**
 * Programs that begin a stream of the same tables at the same time: one of them gets it, and the others name its run.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { beginExclusively } from '../../src/engine/follow/stream/known-stream.ts'
import { StreamLedger } from '../../src/engine/copy/ledger/streams.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

const KEY = { schema: 's', name: 't' }
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-first-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.for(['sqlite', 'postgresql', 'mysql'] as const)(
  'of several programs, one begins the stream in %s',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const place = await makePlace(system, folder)
    await using store = await openCopyStore(place.url, { mode: 'write' })
    const ledger = await store.ledger()
    await prepareLedger(ledger)
    // The smallest run id is recorded first, last and in the middle: clocks of two machines differ.
    for (const ids of [
      ['11', '12'],
      ['22', '21'],
      ['32', '31', '33'],
    ]) {
      const met: (() => void)[] = []
      const start = async (id: string): Promise<void> => {
        const streams = new StreamLedger(ledger, { ...newOwner(`host ${id}`), runId: BigInt(id) })
        await streams.prepare()
        let first = true
        const begin = async (): Promise<void> => {
          await streams.begin({ id, source: 'a', sourceIdentity: 'a', wishes: '{}' }, [{ key: KEY, source: 't' }], 't')
          if (!first) return
          first = false
          // All of them have recorded theirs before any of them reads the others'.
          await new Promise<void>((resolve) => {
            met.push(resolve)
            if (met.length === ids.length) for (const one of met) one()
          })
        }
        await beginExclusively(id, [{ key: KEY }], streams, { begin, signal: new AbortController().signal })
      }
      const ends = await Promise.allSettled(ids.map(start))
      const winners = ids.filter((_, at) => ends[at]?.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      const [winner] = winners
      for (const end of ends)
        if (end.status === 'rejected')
          expect(end.reason).toMatchObject({
            code: 'TABLE_FOLLOWED',
            message: `run ${winner} began stream ${winner} for these tables at the same time`,
          })
      expect(await ledger.all(`SELECT stream_id FROM migration_streams WHERE status <> 'ended'`)).toHaveLength(1)
      await ledger.batch([{ sql: `UPDATE migration_streams SET status = 'ended'`, parameters: [] }])
    }
  },
)

test.for(['sqlite', 'postgresql', 'mysql'] as const)(
  'a stream of %s begins once the archive of another machine has released its partition',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const [source, target] = [await makePlace(system, folder), await makePlace('sqlite', folder)]
    await source.sql(
      'CREATE TABLE ev (id INTEGER NOT NULL PRIMARY KEY, k varchar(9) NOT NULL)',
      "INSERT INTO ev VALUES (1, 'a'), (2, 'b')",
      ...(system === 'sqlite' ? ['PRAGMA journal_mode = WAL'] : []),
    )
    const archive = { kind: 'archive', from: source.url, tables: ['ev'], to: mkdtempSync(join(folder, 'to-')) }
    const byValue = { byValue: 'k', partitions: ['a'], asText: [], detach: false, drop: false, dryRun: false }
    expect((await perform({ ...archive, ...byValue } as Operation)).finished.exitCode).toBe(0)
    const lease = (owner: string, until: string): Promise<void> =>
      source.sql(
        `UPDATE migration_archive_partitions SET owner = ${owner}, host = 'elsewhere', pid = 7, machine = 'another', lease_until = ${until}`,
      )
    await lease(`'${randomUUID()}'`, '9000000000000')
    let waited = ''
    const { finished } = await perform(
      copyOf(source, target, 'ev', { follow: { cdc: 'trigger', until: 'caught-up' } }),
      {
        onEvent: (event) => {
          if (event.type !== 'log' || !event.message.includes('waiting until')) return
          waited = event.message
          void lease('NULL', '0')
        },
      },
    )
    expect(finished.error).toBeUndefined()
    expect(waited).toMatch(/^the program 7 on elsewhere archives or restores rows of a of (?:\w+\.)?ev; /)
    expect((await target.rows('SELECT count(*) FROM ev')).flat()).toEqual(['2'])
  },
)
