/** Checks a lake: existence, tables, a readable log, and plausible file times. */
import { listLog, type LogListing } from '../../delta/listing.ts'
import { isS3Url, parseLakeUrl, s3Path } from '../../model/lake/lake-url.ts'
import type { Clock } from '../../shared/clock.ts'
import { walkLake } from '../../engine/lake/walk.ts'
import { lakeOf, openLake, openLakeStore } from '../../engine/run/registry.ts'
import { fail, ok, warn, type Verdict, failedVerdict } from '../../model/run/verdict.ts'
import { countText, tookText } from '../../shared/figures.ts'
import { CHECK_MS, type PreflightTarget } from '../../stores/common/preflight-port.ts'
import type { Examination } from './examination.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { LakeDeclaration } from '../../stores/declaration.ts'
import { inspectNetwork } from './network.ts'

const AREA = 'lake'
/** Time limit of the search for tables, ms: the search ends before its check times out. */
const POLL_MS = CHECK_MS - 1_000
/** Tolerance for clocks of file servers, ms. */
const AHEAD_MS = 60_000

export async function inspectLake(examination: Examination, path: string, clock: Clock): Promise<void> {
  const place = await examination.check(AREA, 'address', async () => {
    if (isS3Url(path)) return ok(placeName(path))
    const { root } = await openLakeStore(path)
    return ok(root)
  })
  if (place.verdict?.status === 'fail') return
  const credentials = isS3Url(path) ? lakeOf(path).credentials : undefined
  if (credentials !== undefined && !(await inspectBucket(examination, AREA, path, credentials))) return
  const tables: string[] = []
  const inspected = await examination.check(AREA, 'tables', (signal) => tablesVerdict(path, tables, signal))
  if (inspected.verdict?.status === 'fail') return
  const [first] = tables
  if (first === undefined) return
  let listing: LogListing | null = null
  await examination.check(AREA, 'first log', async (signal) => {
    const start = performance.now()
    listing = await listLog(await openLake(first), { signal })
    const { commits, checkpoints, latest } = listing
    const time = tookText(performance.now() - start)
    return ok(
      `${first}: version ${latest}, ${countText(commits.length, 'commit')}, ${countText(checkpoints.length, 'checkpoint')}, listed in ${time}`,
    )
  })
  if (listing === null) return
  const read = listing
  await examination.check(AREA, 'commit times', async () => timesVerdict(read, clock.now()))
}

function placeName(path: string): string {
  const place = parseLakeUrl(path)
  return place.kind === 'bucket' ? s3Path(place.bucket, place.prefix) : place.path
}

async function tablesVerdict(path: string, tables: string[], signal: AbortSignal): Promise<Verdict> {
  const enough = new AbortController()
  const timer = setTimeout(() => enough.abort(), POLL_MS)
  const unreadable: string[] = []
  let isWhole = true
  try {
    const both = AbortSignal.any([signal, enough.signal])
    for await (const found of walkLake(path, { recursive: true, exclude: [], signal: both })) {
      if (found.kind === 'table') tables.push(found.path)
      else if (found.kind === 'unreadable') unreadable.push(found.name)
      else if (found.kind === 'unseen') isWhole = false
    }
  } catch (error) {
    if (!enough.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
  const found = `${enough.signal.aborted || !isWhole ? 'at least ' : ''}${countText(tables.length, 'table')}`
  if (unreadable.length > 0) {
    return warn(
      `${found}; ${countText(unreadable.length, 'folder')} cannot be read: ${unreadable.slice(0, 3).join(', ')}`,
      {
        hint: 'give this user the right to read them, or leave them out with --exclude',
      },
    )
  }
  if (tables.length > 0) return ok(found)
  if (enough.signal.aborted) return warn('none found in time', { hint: 'name a folder nearer to the tables' })
  return warn('none', { cause: 'no folder there holds a _delta_log', hint: 'name the folder that holds the tables' })
}

/** Checks the file times of commits. Delta uses them as commit times, unless a commit contains its own time. */
export function timesVerdict({ commits }: Pick<LogListing, 'commits'>, now: number): Verdict {
  const ahead = commits.filter(({ modified }) => modified > now + AHEAD_MS)
  if (ahead.length > 0) {
    return warn(`${countText(ahead.length, 'commit')} from the future`, {
      cause: `the file time of ${ahead[0]?.name ?? ''} is ${tookText((ahead[0]?.modified ?? now) - now)} in the future`,
      hint: 'check the clocks of this machine, and of the one that writes the lake',
    })
  }
  const backward = commits.filter(({ modified }, i) => modified < (commits[i - 1]?.modified ?? modified))
  if (backward.length > 0) {
    return warn(`${countText(backward.length, 'commit')} older than the one before`, {
      cause: 'the log was copied without the times of its files',
      hint: 'queries by --timestamp use these times: copy it again with its times (cp -a, rsync -t), or query by version',
    })
  }
  const newest = commits.at(-1)?.modified
  if (newest === undefined) return ok('none: the log has only checkpoints')
  if (newest <= 0) return fail('files without a time', { hint: 'copy the log with its times' })
  return ok('in order')
}

// Checks a lake in a bucket: credentials, connection and listing.

/** @returns true if the bucket can be listed */
async function inspectBucket(
  examination: Examination,
  area: string,
  path: string,
  credentials: NonNullable<LakeDeclaration['credentials']>,
): Promise<boolean> {
  let target: PreflightTarget | null = null
  const known = await examination.check(area, 'credentials', async () => {
    const { found, target: named } = await credentials(path)
    target = named
    return ok(found)
  })
  if (known.verdict?.status !== 'ok' || target === null) return false
  if (!(await inspectNetwork(examination, area, target))) return false
  const listed = await examination.check(area, 'list', (signal) => listVerdict(path, signal))
  return listed.verdict?.status === 'ok'
}

async function listVerdict(path: string, signal: AbortSignal): Promise<Verdict> {
  const start = performance.now()
  try {
    const store = await openLakeStore(path)
    const state = await store.inspect(store.root, signal)
    if (state.is === 'denied') throw state.error
    return ok(`answers in ${tookText(performance.now() - start)}`)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'SOURCE_DENIED') {
      return fail(error.message, {
        ...(error.reason === undefined ? {} : { cause: error.reason }),
        hint: error.hint ?? 'give these credentials s3:ListBucket on the bucket, and s3:GetObject on its objects',
      })
    }
    return failedVerdict(error)
  }
}
