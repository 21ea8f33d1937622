import { describe, expect, test } from 'vitest'
import { listLog } from '../../src/delta/listing.ts'
import type { LogListing } from '../../src/delta/listing.ts'
import { commitName, versionDigits } from '../../src/delta/log-path.ts'
import { historyCutOff, logGaps, gapText } from '../../src/delta/gaps.ts'
import { logHistory, segmentAt } from '../../src/delta/segment.ts'
import { NEVER, codeOf, namesLog } from './delta-fixtures.ts'

const UUID = '80a083e8-7026-4e79-81be-64bd76c43a11'

/**
 * `c0-3 p2`: commits 0 to 3 and a classic checkpoint 2; `m5:1/2`: part 1 of 2; `u7`: a V2 checkpoint; `k3-5`: a
 * compaction.
 */
function names(text: string): string[] {
  return text.split(' ').flatMap((word) => {
    const [, kind, first = '0', second, part, parts] = /^(\w)(\d+)(?:-(\d+))?(?::(\d+)\/(\d+))?$/.exec(word) ?? []
    const from = Number(first)
    const digits = versionDigits(from)
    if (kind === 'c') return Array.from({ length: Number(second ?? first) - from + 1 }, (_, i) => commitName(from + i))
    if (kind === 'p') return [`${digits}.checkpoint.parquet`]
    if (kind === 'u') return [`${digits}.checkpoint.${UUID}.json`]
    if (kind === 'k') return [`${digits}.${versionDigits(Number(second))}.compacted.json`]
    return [`${digits}.checkpoint.${String(part).padStart(10, '0')}.${String(parts).padStart(10, '0')}.parquet`]
  })
}

function list(text: string): Promise<LogListing> {
  return listLog(namesLog(names(text)), { signal: NEVER })
}

async function segment(text: string, version?: number): Promise<string> {
  const { checkpoint, commits, version: at } = segmentAt(await list(text), version)
  const first = commits[0]?.version
  return `${at}: ${checkpoint === null ? '-' : `${checkpoint.form} ${checkpoint.version}`} + ${first === undefined ? '-' : `${first}-${commits.at(-1)?.version}`}`
}

function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: Error & { code: string }) => `${error.code} ${error.message}`,
  )
}

describe('listing', () => {
  test('groups the files of a log and ignores all others', async () => {
    const log = namesLog([
      ...names('c0-2 p1 m2:1/2 m2:2/2 k0-2'),
      `${versionDigits(2)}.crc`,
      'info.txt',
      '._x',
      '_last_checkpoint',
    ])
    const listing = await listLog(log, { signal: NEVER })
    expect(listing.commits.map(({ version }) => version)).toEqual([0, 1, 2])
    expect(listing.checkpoints.map(({ version, form, files }) => [version, form, files.length])).toEqual([
      [1, 'classic', 1],
      [2, 'multipart', 2],
    ])
    expect(listing.compacted).toMatchObject([{ from: 0, to: 2 }])
    expect(listing.crcs).toMatchObject([{ version: 2 }])
    expect(listing.latest).toBe(2)
  })

  test('a multi-part checkpoint with a missing part does not count', async () => {
    const listing = await list('c0-3 m3:1/3 m3:3/3')
    expect(listing.checkpoints).toEqual([])
    expect(listing.incomplete).toEqual([{ version: 3, parts: 3, present: 2 }])
  })

  test('two multi-part checkpoints of one version with other part counts are kept apart', async () => {
    const listing = await list('m3:1/2 m3:1/3 m3:2/3 m3:3/3')
    expect(listing.checkpoints.map(({ files }) => files.length)).toEqual([3])
    expect(listing.incomplete).toEqual([{ version: 3, parts: 2, present: 1 }])
  })

  test('may start at a version', async () => {
    const listing = await listLog(namesLog(names('c0-20 p10')), { signal: NEVER, from: 10 })
    expect(listing.commits[0]?.version).toBe(10)
    expect(listing.checkpoints.length).toBe(1)
  })

  test.each(['', 'k0-4', 'm3:1/2'])('"%s" is no table', async (text) => {
    expect(await codeOf(list(text === '' ? 'x0' : text))).toBe('NO_LOG')
  })
})

describe('segments', () => {
  test.each([
    ['c0-5', undefined, '5: - + 0-5'],
    ['c0-5', 3, '3: - + 0-3'],
    ['c0-5 p3', undefined, '5: classic 3 + 4-5'],
    ['c0-5 p3', 2, '2: - + 0-2'],
    ['c0-5 p3 p5', 4, '4: classic 3 + 4-4'],
    ['c4-5 p3', undefined, '5: classic 3 + 4-5'],
    ['p3', undefined, '3: classic 3 + -'],
    ['c0-2 p9', undefined, '9: classic 9 + -'],
    ['c0-2 c5-9 p4', undefined, '9: classic 4 + 5-9'],
    ['c0-5 p5 m5:1/1 u5', undefined, '5: v2 5 + -'],
    ['c0-5 p5 m5:1/1', undefined, '5: multipart 5 + -'],
    ['c0-5 p5 m6:1/2', undefined, '5: classic 5 + -'],
  ])('%s at %s', async (text, version, expected) => {
    expect(await segment(text, version)).toBe(expected)
  })

  test.each([
    ['c0-10 p10 c14', undefined, 'LOG_GAP commits 11 to 13 are missing between checkpoint 10 and commit 14'],
    ['c0 c2', undefined, 'LOG_GAP commit 1 is missing between commit 0 and commit 2'],
    ['c3-5', undefined, 'LOG_GAP commits 0 to 2 are missing before commit 3, and no checkpoint covers them'],
    ['p10 c12', undefined, 'LOG_GAP commit 11 is missing between checkpoint 10 and commit 12'],
    ['p10 c11-20 p30', 25, 'LOG_GAP commits 21 to 25 are missing between commit 20 and checkpoint 30'],
    ['c0-5', 6, 'VERSION_NOT_FOUND version 6 does not exist; the newest is 5'],
    ['c0-5', -1, 'VERSION_NOT_FOUND version -1 does not exist; the newest is 5'],
    ['c8-12 p10', 5, 'VERSION_NOT_FOUND version 5 no longer exists; the log begins at version 10'],
    ['c8-12 p10', 9, 'VERSION_NOT_FOUND version 9 no longer exists; the log begins at version 10'],
  ])('%s at %s fails', async (text, version, expected) => {
    expect(await failure(segment(text, version))).toBe(expected)
  })

  test('the hint names what would help', async () => {
    const error: { hint?: string } = (await segment('c0-10 p10 c14').catch(
      (thrown: unknown) => thrown as { hint?: string },
    )) as never
    expect(error.hint).toBe('restore the 3 missing files, or import again when a checkpoint above 14 exists')
    const covered: { hint?: string } = (await segment('c0 k1-2 c3').catch(
      (thrown: unknown) => thrown as { hint?: string },
    )) as never
    expect(covered.hint).toMatch(/compaction file covers/)
  })

  test('an unreadable checkpoint is replaced by an older one or by all commits', async () => {
    const listing = await list('c0-9 p4 p8 m8:1/1')
    const first = segmentAt(listing)
    expect(first.fallbacks.map(({ version, form }) => `${form} ${version}`)).toEqual(['classic 8', 'classic 4'])
    const without = new Set(first.checkpoint === null ? [] : [first.checkpoint])
    expect(segmentAt(listing, undefined, without).checkpoint).toMatchObject({ version: 8, form: 'classic' })
    for (const checkpoint of first.fallbacks) without.add(checkpoint)
    expect(segmentAt(listing, undefined, without)).toMatchObject({ checkpoint: null, commits: { length: 10 } })
  })
})

describe('history', () => {
  test.each([
    ['c0-5', 0, null, 6, null, 0],
    ['c0-5 p3', 0, null, 6, null, 0],
    ['p10 c11-20 p30 c31-35', 30, 30, 5, null, 10],
    ['c8-20 p10 p15', 10, 10, 10, 10, 2],
    ['p10 c11-20 p15', 10, 10, 10, null, 0],
    ['p7', 7, 7, 0, null, 0],
    ['c0-3 p9', 9, 9, 0, null, 4],
    ['c0-3 c6-9 p5 p8', 5, 5, 4, null, 4],
  ])('%s', async (text, from, checkpoint, commits, base, orphans) => {
    const history = logHistory(await list(text))
    expect([
      history.from,
      history.checkpoint?.version ?? null,
      history.commits.length,
      history.baseCommit?.version ?? null,
      history.orphans.length,
    ]).toEqual([from, checkpoint, commits, base, orphans])
  })

  test('fails if the latest version is incomplete', async () => {
    expect(await failure(list('p10 c12').then((listing) => logHistory(listing)))).toMatch(
      /^LOG_GAP commit 11 is missing/,
    )
    expect(await failure(list('c3-5').then((listing) => logHistory(listing)))).toMatch(/^LOG_GAP commits 0 to 2/)
  })

  test('begins later if the oldest checkpoint cannot be read', async () => {
    const listing = await list('c11-20 p10 p15')
    const unreadable = new Set(listing.checkpoints.slice(0, 1))
    expect(logHistory(listing, unreadable)).toMatchObject({
      from: 15,
      commits: { length: 5 },
      baseCommit: { version: 15 },
    })
  })
})

describe('gaps', () => {
  test.each([
    ['c0-5 p3', null, null],
    ['p7', null, null],
    ['p10 c11-20', null, null],
    ['c8-20 p10 p15', null, 'there is no readable checkpoint for the older commits 8 to 9'],
    [
      'c0-3 c5-12 u3 u6 u9 u11 u12',
      'commit 4 is missing in the log: versions 4 to 5 can no longer be read',
      'commit 4 is missing, so the older commits 0 to 3, 5 and checkpoint 3 cannot be used',
    ],
    [
      'c0-3 p4 c5-9',
      'commit 4 is missing in the log: a checkpoint covers each version',
      'commit 4 is missing, so the older commits 0 to 3 cannot be used',
    ],
    [
      'p10 c11-20 p30 c31-35',
      'commits 21 to 30 are missing in the log: versions 21 to 29 can no longer be read',
      'commits 21 to 30 are missing, so the older commits 11 to 20 and checkpoint 10 cannot be used',
    ],
    [
      'c0-2 c6 c8-9 p5 p8',
      'commits 3 to 5, 7 are missing in the log: versions 3 to 4, 7 can no longer be read',
      'commits 3 to 5, 7 are missing, so the older commits 0 to 2, 6 and checkpoint 5 cannot be used',
    ],
    [
      'c0-9 p10',
      'commit 10 is missing in the log: a checkpoint covers each version',
      'commit 10 is missing, so the older commits 0 to 9 cannot be used',
    ],
  ])('%s', async (text, gaps, older) => {
    const listing = await list(text)
    expect(gapText(logGaps(listing))).toBe(gaps)
    expect(historyCutOff(listing, logHistory(listing))).toBe(older)
    // Each version can be built, or is listed as lost.
    const first =
      logHistory(listing).orphans.length > 0 && listing.commits[0]?.version === 0 ? 0 : listing.checkpoints[0]?.version
    const lost = logGaps(listing).lost
    for (let version = first ?? 0; version <= (listing.latest ?? 0); version++) {
      const isLost = lost.some(({ from, to }) => from <= version && version <= to)
      const built = await failure(Promise.resolve().then(() => segmentAt(listing, version)))
      expect([version, built === 'no error']).toEqual([version, !isLost])
    }
  })
})
