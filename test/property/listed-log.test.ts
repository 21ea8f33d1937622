/**
 * A log listed from the last checkpoint on gives the same segments as a complete listing, whatever files and hint it
 * has.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ListedLog } from '../../src/delta/listed-log.ts'
import { listLog, type CheckpointFiles, type LogListing } from '../../src/delta/listing.ts'
import { versionDigits } from '../../src/delta/log-path.ts'
import { logHistory, segmentAt } from '../../src/delta/segment.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { memoryLog, NEVER } from '../unit/delta-fixtures.ts'

const UUID = '80a083e8-7026-4e79-81be-64bd76c43a11'
const SUFFIXES = [
  'json',
  'checkpoint.parquet',
  `checkpoint.${UUID}.json`,
  'checkpoint.0000000001.0000000002.parquet',
  'checkpoint.0000000002.0000000002.parquet',
  'crc',
  `${versionDigits(9)}.compacted.json`,
]
const VERSION = fc.nat(12)
const HINT = fc.oneof(
  VERSION.map((version) => JSON.stringify({ version, size: 1 })),
  VERSION.map((version) => JSON.stringify({ version, size: 1, parts: 2 })),
  fc.constantFrom('', '{"version":4', '[]', '{}', '{"version":"4"}', '{"version":-1}', '{"version":1e300}'),
)

function pages(log: LogStore, knowsStart: boolean): LogStore {
  const list: LogStore['list'] = (folder, { attributes, signal }) => log.list(folder, { attributes, signal })
  return { ...log, pagedListing: true, ...(knowsStart ? {} : { list }) }
}

async function outcome(work: () => unknown): Promise<unknown> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    return error.info()
  }
}

/** Files that a reader would open, by name, because the two listings have different objects. */
function segment(listing: LogListing, version: number | undefined, without: ReadonlySet<CheckpointFiles>): unknown {
  const { checkpoint, commits, version: found } = segmentAt(listing, version, without)
  return { found, checkpoint, commits }
}

test('every version has the same segment, also without a damaged checkpoint', async () => {
  let fewer = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(VERSION, fc.constantFrom(...SUFFIXES)), { maxLength: 30 }),
      fc.option(fc.tuple(VERSION, VERSION), { nil: null }),
      fc.option(HINT, { nil: null }),
      fc.boolean(),
      async (scattered, run, hint, knowsStart) => {
        const names = scattered.map(([version, suffix]) => `${versionDigits(version)}.${suffix}`)
        // A run of commits, like in real logs.
        if (run !== null)
          for (let version = run[0]; version <= run[0] + run[1]; version++) names.push(`${versionDigits(version)}.json`)
        const files: Record<string, string> = Object.fromEntries(names.map((name) => [`_delta_log/${name}`, '']))
        if (hint !== null) files['_delta_log/_last_checkpoint'] = hint
        const store = memoryLog(files)
        const whole = await outcome(() => listLog(store, { signal: NEVER }))
        const listed = await outcome(() => ListedLog.list(pages(store, knowsStart), 'newest', NEVER))
        if (!(listed instanceof ListedLog)) {
          expect(listed).toEqual(whole)
          return
        }
        const all = whole as LogListing
        expect(listed.known.latest).toBe(all.latest)
        if (!listed.isWhole) fewer++
        const damaged = listed.known.checkpoints.slice(-1)
        for (const version of [undefined, ...Array.from({ length: 15 }, (_, i) => i - 1)]) {
          const again = await ListedLog.list(pages(store, knowsStart), 'newest', NEVER)
          expect(
            await outcome(async () => segment(await again.for(version, new Set(), NEVER), version, new Set())),
          ).toEqual(await outcome(() => segment(all, version, new Set())))
        }
        // An unreadable checkpoint must be the same object in later listings.
        const unreadable = new Set(damaged)
        const alsoUnreadable = new Set(
          all.checkpoints.filter((one) => damaged.some((other) => other.files[0]?.name === one.files[0]?.name)),
        )
        expect(
          await outcome(async () => segment(await listed.for(undefined, unreadable, NEVER), undefined, unreadable)),
        ).toEqual(await outcome(() => segment(all, undefined, alsoUnreadable)))
        const completed = await listed.whole(NEVER)
        expect(completed).toEqual(all)
        expect(await outcome(() => logHistory(completed))).toEqual(await outcome(() => logHistory(all)))
      },
    ),
    { numRuns: 600 },
  )
  // The test is meaningful only if the short listing was used often enough.
  expect(fewer).toBeGreaterThan(30)
})

test('a store that lists in one call is listed completely, and its hint is not read', async () => {
  const names = ['00000000000000000000.json', '00000000000000000001.checkpoint.parquet', '00000000000000000002.json']
  const files = Object.fromEntries(names.map((name) => [`_delta_log/${name}`, '']))
  const store = memoryLog({ ...files, '_delta_log/_last_checkpoint': '{"version":1,"size":1}' })
  const read: LogStore['read'] = () => {
    throw new Error('nothing was to be read')
  }
  const listed = await ListedLog.list({ ...store, read }, 'newest', NEVER)
  expect(listed.isWhole).toBe(true)
  expect(listed.known.commits.map(({ version }) => version)).toEqual([0, 2])
})
