/** `archive`, `restore` and `query`: the operations they start, and what they refuse. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { dryRun, query, restore, run } from './archive-recorded.ts'
import { fakeContext, playingEngine, typed } from './surroundings.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const FROM = 'postgresql://app@db/shop'
const SECRET = 'postgresql://app:s3cr3t-pw@db/shop'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-archive-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

type Env = Readonly<Record<string, string>>

async function asked(argv: readonly string[], env: Env = {}): Promise<Operation> {
  const { request } = await parseCommandLine(argv, env)
  if (request.kind !== 'operation') throw new Error(`no operation, but ${request.kind}`)
  return request.operation
}

async function refused(argv: readonly string[]): Promise<string> {
  const error: unknown = await parseCommandLine(argv, {}).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SluiceError)) throw new Error(`no SluiceError, but ${String(error)}`)
  return `${error.code} ${error.message}`
}

const base = {
  kind: 'archive',
  from: FROM,
  tables: ['t'],
  partitions: [],
  asText: [],
  detach: true,
  drop: false,
  dryRun: false,
}
const quarter = { unit: 'quarter', firstMonth: 1, yearOffset: 0, firstWeekday: 1, zone: 'UTC' }
const from = ['--from', FROM]

describe('archive', () => {
  it.each<[string, unknown]>([
    ['run --table t', base],
    ['plan --table t', { ...base, dryRun: true }],
    ['run -n --table t --table u*', { ...base, tables: ['t', 'u*'], dryRun: true }],
    ['run --table t --to /archive --older-than 8Q', { ...base, to: '/archive', olderThan: '8q' }],
    ['run --table t --to s3://b/p --no-detach', { ...base, to: 's3://b/p', detach: false }],
    [
      'run --table t --partition Q2-FY21 --partition Q3-FY21 --by booked_at --as-text a --as-text b',
      { ...base, partitions: ['Q2-FY21', 'Q3-FY21'], by: 'booked_at', asText: ['a', 'b'] },
    ],
    ['run --table t --year-offset 1', { ...base, calendar: { ...quarter, yearOffset: 1 } }],
    [
      'run --table t --calendar week --first-month oct --year-offset -1 --first-weekday Sunday --zone Europe/Berlin',
      {
        ...base,
        calendar: { unit: 'week', firstMonth: 10, yearOffset: -1, firstWeekday: 7, zone: 'Europe/Berlin' },
      },
    ],
    [
      'run --table t --first-month 4 --calendar year',
      { ...base, calendar: { ...quarter, unit: 'year', firstMonth: 4 } },
    ],
    ['run --table t --first-month SEPTEMBER', { ...base, calendar: { ...quarter, firstMonth: 9 } }],
    [
      'run --table t --grace 7d --file-size 256mb --memory 1.5GiB',
      { ...base, graceMs: 604_800_000, fileBytes: 256_000_000, memoryBytes: 1_610_612_736 },
    ],
    ['run --table t --grace 0', { ...base, graceMs: 0 }],
    ['run --table t --drop --confirm=t', { ...base, drop: true, confirm: 't' }],
    ['list', { kind: 'archive-list', from: FROM, tables: [], count: false }],
    ['list --table t --count', { kind: 'archive-list', from: FROM, tables: ['t'], count: true }],
    ['verify', { kind: 'archive-verify', from: FROM, tables: [], partitions: [], deep: false }],
    [
      'verify --table t --partition p --deep',
      { kind: 'archive-verify', from: FROM, tables: ['t'], partitions: ['p'], deep: true },
    ],
    [
      'adopt --table t --confirm t --accept-difference 2020-Q1 --accept-difference a,b',
      {
        kind: 'archive-adopt',
        from: FROM,
        table: 't',
        confirm: 't',
        accept: ['2020-Q1', 'a,b'],
        calendar: {},
        dryRun: false,
      },
    ],
    ['adopt --table t -n', { kind: 'archive-adopt', from: FROM, table: 't', accept: [], calendar: {}, dryRun: true }],
    [
      'adopt --table t --to /a/t --calendar month --zone Europe/Berlin --by at --grace 3d -n',
      {
        kind: 'archive-adopt',
        from: FROM,
        table: 't',
        accept: [],
        to: '/a/t',
        calendar: { unit: 'month', zone: 'Europe/Berlin' },
        by: 'at',
        graceMs: 259_200_000,
        dryRun: true,
      },
    ],
    ['sweep', { kind: 'archive-sweep', from: FROM, tables: [], olderThanMs: 86_400_000, dryRun: false }],
    ['sweep -n --age 2h', { kind: 'archive-sweep', from: FROM, tables: [], olderThanMs: 7_200_000, dryRun: true }],
    [
      'hold --table t --partition p --reason lawsuit',
      { kind: 'archive-hold', from: FROM, table: 't', partitions: ['p'], reason: 'lawsuit' },
    ],
    [
      'release --table t --partition p',
      { kind: 'archive-hold', from: FROM, table: 't', partitions: ['p'], reason: null },
    ],
  ])('%s', async (line, expected) => {
    const [action = '', ...flags] = line.split(' ')
    expect(await asked(['archive', action, ...from, ...flags])).toEqual(expected)
  })

  it.each<[string, string]>([
    ['archive rn --table t', 'BAD_FLAG archive has no action rn (run?)'],
    ['archive', 'BAD_FLAG ACTION is missing'],
    ['archive run', 'BAD_FLAG no table is named'],
    ['archive run --table t --older-than 8', 'BAD_FLAG --older-than 8 is not a number of periods'],
    ['archive run --table t --older-than 8h', 'BAD_FLAG --older-than 8h is not a number of periods'],
    ['archive run --table t --to mysql://h/d', 'BAD_FLAG --to is neither a folder nor a bucket'],
    [
      'archive run --table t --calendar decade',
      'BAD_FLAG --calendar takes quarter, month, week, day or year, not decade',
    ],
    ['archive run --table t --first-month 13', 'BAD_FLAG --first-month takes 1 to 12 or a name, not 13'],
    ['archive run --table t --first-month ju', 'BAD_FLAG --first-month takes 1 to 12 or a name, not ju'],
    ['archive run --table t --first-weekday 0', 'BAD_FLAG --first-weekday takes 1 to 7 or a name, not 0'],
    ['archive run --table t --zone Mars/Base', 'BAD_FLAG --zone Mars/Base is not a time zone'],
    ['archive run --table t --file-size big', 'BAD_FLAG --file-size big is not a size'],
    ['archive run --table t --file-size 1b', 'BAD_FLAG --file-size 1b is too small'],
    ['archive run --table t --memory 1mb', 'BAD_FLAG --memory 1mb is too small'],
    ['archive run --table t --grace soon', 'BAD_FLAG --grace soon is not a duration'],
    ['archive run --table t --deep', 'BAD_FLAG archive run does not accept --deep'],
    ['archive list --no-detach', 'BAD_FLAG archive list does not accept --detach'],
    ['archive list --partition p', 'BAD_FLAG archive list does not accept --partition'],
    ['archive verify --dry-run', 'BAD_FLAG archive verify does not accept --dry-run'],
    ['archive hold --table t --reason r', 'BAD_FLAG no partition is named'],
    ['archive adopt', 'BAD_FLAG no table is named'],
    ['archive adopt --table t --partition p', 'BAD_FLAG archive adopt does not accept --partition'],
    ['archive verify --accept-difference p', 'BAD_FLAG archive verify does not accept --accept-difference'],
    ['archive hold --table t --partition p', 'BAD_FLAG --reason is missing'],
    ['archive hold --table t --table u --partition p --reason r', 'BAD_FLAG give one table, not 2'],
    ['archive run --table t --oldr-than 8q', 'BAD_FLAG unknown flag --oldr-than (--older-than?)'],
    ['restore --table t', 'BAD_FLAG no partition is named'],
    ['query t', 'BAD_FLAG QUERY is missing'],
    ['query t select --format xml', 'BAD_FLAG --format takes table, csv or json, not xml'],
  ])('refuses %s', async (line, expected) => {
    expect(await refused([...line.split(' '), ...from])).toBe(expected)
  })

  it('takes defaults from a config file, but not the target of copies', async () => {
    const file = path.join(folder, 'a.yaml')
    writeFileSync(
      file,
      `from: $SHOP\nto: ${FROM}\ntable: t\nolder-than: 8q\ncalendar: month\nfirst-month: 4\nzone: Europe/Berlin\ngrace: 1d\nas-text: [a, b]\n`,
    )
    const config = ['--config', file]
    expect(await asked(['archive', 'run', ...config], { SHOP: SECRET })).toEqual({
      ...base,
      from: SECRET,
      olderThan: '8q',
      calendar: { ...quarter, unit: 'month', firstMonth: 4, zone: 'Europe/Berlin' },
      graceMs: 86_400_000,
      asText: ['a', 'b'],
    })
    expect(
      await asked(['archive', 'run', ...config, '--to', '/x', '--calendar', 'day'], { SHOP: SECRET }),
    ).toMatchObject({
      to: '/x',
      calendar: { unit: 'day', firstMonth: 4 },
    })
    expect(await asked(['query', 't', 'select 1', ...config], { SHOP: SECRET })).toMatchObject({ from: SECRET })
  })
})

describe('restore and query', () => {
  it('start operations with the given options', async () => {
    expect(await asked(['restore', ...from, '--table', 't', '--partition', 'p', '--partition', 'q', '-n'])).toEqual({
      kind: 'restore',
      from: FROM,
      table: 't',
      partitions: ['p', 'q'],
      dryRun: true,
    })
    const elsewhere = ['--into', 'seen', '--into-url', 'sqlite:///look.db', '--where', 'id = 1']
    expect(await asked(['restore', ...from, '--table', 't', '--partition', 'p', ...elsewhere])).toEqual({
      kind: 'restore',
      from: FROM,
      table: 't',
      partitions: ['p'],
      into: 'seen',
      intoUrl: 'sqlite:///look.db',
      where: 'id = 1',
      dryRun: false,
    })
    // The target of copies in a config file or in variables is ignored.
    const d1 = { CLOUDFLARE_ACCOUNT_ID: 'a', D1_DATABASE_ID: 'd', CLOUDFLARE_API_TOKEN: 't' }
    expect(await asked(['restore', ...from, '--table', 't', '--partition', 'p'], d1)).not.toHaveProperty('intoUrl')
    expect(await refused(['restore', ...from, '--table', 't', '--partition', 'p', '--into-url', 'nowhere'])).toBe(
      'BAD_FLAG --into-url is not a URL',
    )
    const asks = ['query', 't', 'select 1', ...from]
    const plain = { kind: 'query', from: FROM, table: 't', query: 'select 1', limit: 1000, format: 'table' }
    expect(await asked(asks)).toEqual(plain)
    expect(await asked([...asks, '--limit', '5', '--format', 'csv', '--timeout', '30s'])).toEqual({
      ...plain,
      limit: 5,
      format: 'csv',
      timeoutMs: 30_000,
    })
  })
  it('prints rows in the requested format', async () => {
    const { engine } = playingEngine(() => query)
    const around = fakeContext({ engine })
    expect(await main(['query', 'bookings', 'select 1', ...from, '--format', 'csv'], around)).toBe(0)
    expect(around.out()).toBe('year,n\r\n2020,120345\r\n')
    expect(around.err()).toContain(
      '2 of 14 archived partitions, 5 of 80 files (bytes not checked), 120,000 rows of the database',
    )
  })
})

describe('archive run --drop', () => {
  it('needs --confirm with the name of the table', async () => {
    const { engine, started } = playingEngine(() => run)
    const argv = ['archive', 'run', ...from, '--table', 'public.bookings', '--drop']
    const around = fakeContext({ engine })
    expect(await main(argv, around)).toBe(2)
    expect(around.err()).toContain('--confirm=public.bookings')
    const other = fakeContext({ engine })
    expect(await main([...argv, '--confirm=bookings'], other)).toBe(2)
    expect(other.err()).toContain('--confirm names bookings, but --table names public.bookings')
    expect(started).toEqual([])
    expect(await main([...argv, '--confirm=public.bookings'], fakeContext({ engine }))).toBe(5)
    expect(started.map(({ operation }) => operation)).toMatchObject([{ drop: true, confirm: 'public.bookings' }])
  })
  it('needs no confirmation for a plan', async () => {
    const { engine, started } = playingEngine(() => dryRun)
    const around = fakeContext({ engine })
    expect(await main(['archive', 'plan', ...from, '--table', 't', '--drop'], around)).toBe(0)
    expect(started).toHaveLength(1)
    expect(around.out()).toContain('details  jsonb          string')
  })
  it.each(['t\n', 'other\n'])('asks in a terminal, where the answer is %j', async (answer) => {
    const { engine, started } = playingEngine((operation) => ('dryRun' in operation && operation.dryRun ? dryRun : run))
    const around = fakeContext({
      tty: true,
      engine,
      tui: { runTui: () => Promise.reject(new Error('the screen')) },
      env: { TERM: 'xterm' },
    })
    // Typed repeatedly, because the prompt may come late.
    const typing = setInterval(() => typed(around, answer), 50)
    const code = await main(['archive', 'run', ...from, '--table', 't', '--drop'], around)
    clearInterval(typing)
    expect(started.map(({ operation }) => operation)).toMatchObject([{ dryRun: true, drop: true }])
    // The screen cannot open here; only the attempt matters.
    expect(around.err().includes('the name does not match')).toBe(answer !== 't\n')
    expect(code).not.toBe(0)
  })
  it('never prints a password', async () => {
    const { engine, started } = playingEngine(() => restore)
    const around = fakeContext({ engine, env: { SHOP_URL: SECRET } })
    const argv = ['restore', '--from', SECRET, '--table', 't', '--partition', 'Q2-FY21']
    expect(await main(argv, around)).toBe(0)
    expect(started[0]?.commandLine).toBe('sluice restore --from "$SHOP_URL" --table t --partition Q2-FY21')
    expect(around.out() + around.err()).not.toContain('s3cr3t')
    const other = SECRET.replace('shop', 'other')
    const more = [...argv, '--into-url', other, '--where', "name = 'Ada'"]
    expect(await main(more, fakeContext({ engine, env: { SHOP_URL: SECRET, OTHER_URL: other } }))).toBe(0)
    expect(started[1]?.commandLine).toBe(
      'sluice restore --from "$SHOP_URL" --table t --partition Q2-FY21 --into-url "$OTHER_URL" --where "$WHERE"',
    )
  })
})
