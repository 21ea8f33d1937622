/** `lifecycle:` in the config file: errors with their position, and the commands that use its entries. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandLine } from '../../src/cli/parse/command-line.ts'
import { LifecycleLines } from '../../src/render/check-lines.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { shellWords } from '../../src/shared/shell-words.ts'
import { withEntry, type WrittenEntry } from '../../src/partition/lifecycle/config-text.ts'
import { DEFAULT_CALENDAR } from '../../src/model/calendar/calendar.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { wholeCommands } from '../../src/app/whole-commands/whole.ts'
import { asSluiceError } from '../../src/shared/errors.ts'

let folder = ''
let file = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-lifecycle-'))
  file = path.join(folder, 'sluice.yaml')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ENV = {
  SHOP: 'postgresql://app:geheim99@db.example/shop',
  DATABASE_URL: 'postgresql://app:auchgeheim@db.example/other',
}
const FILE = `from: $SHOP
older-than: 3y
stores:
  cold: s3://cold/archive
lifecycle:
  public.Book ing's:
    by: Made at
    calendar: quarter
    first-month: april
    year-offset: 1
    slices: week
    window: 3h
    lanes: 4
    ahead: 5
    older-than: 8q
    archive: cold
    grace: 2d
`

async function parsed(text: string, ...words: readonly string[]): Promise<Operation> {
  writeFileSync(file, text)
  const { request } = await parseCommandLine([...words, '--config', file], ENV)
  if (request.kind !== 'operation') throw new Error(request.kind)
  return request.operation
}

async function refusal(text: string, ...words: readonly string[]): Promise<string> {
  try {
    await parsed(text, ...words)
    return 'taken'
  } catch (error) {
    const { code, message } = asSluiceError(error).info()
    return `${code} ${message}`
  }
}

describe('errors in an entry', () => {
  it.each([
    ['an unknown key', 'wndow: 3h', 'lifecycle.t: unknown key wndow (window?) (line 3, column 5)'],
    [
      'no duration',
      'window: soon',
      '--window soon is not a duration; write it like 90s, 30m, 2h or 1h30m (line 3, column 13)',
    ],
    ['no age', 'older-than: 8', '(line 3, column 17)'],
    ['no month', 'first-month: 13', '--first-month takes 1 to 12 or a name, not 13'],
    ['no zone', 'zone: Berlin', '--zone Berlin is not a time zone'],
    ['no condition', "alert: 'lag<3'", '--alert lag<3 is not a condition'],
    ['no epoch', 'epoch: min', 'lifecycle.t.epoch: '],
    ['no calendar', 'calendar: fortnight', 'lifecycle.t.calendar: '],
    ['too many lanes', 'lanes: 65', '(line 3, column 12)'],
  ])('%s', async (_what, line, reported) => {
    const message = await refusal(`lifecycle:\n  t:\n    ${line}\n`, 'lifecycle', 'status')
    expect(message).toMatch(/^BAD_CONFIG the config file is not valid: /)
    expect(message).toContain(reported)
  })

  it('a pattern, unknown keys and invalid values are all reported together', async () => {
    const message = await refusal("lifecycle:\n  'public.*': {}\nwokers: 3\nlimit: -1\n", 'lifecycle', 'status')
    expect(message).toContain('is a pattern: each table needs its own entry (line 2, column 3)')
    expect(message).toContain('unknown key wokers (line 3, column 1)')
    expect(message).toContain('(line 4, column 8)')
  })

  it.each([
    ['in an entry', 'lifecycle:\n  t:\n    table: u\n', /^keys of a table in lifecycle are (?:(?! table,).)*$/],
    ['at the top', 'wokers: 3\n', /^its keys are (?:(?!lifecycle are).)*$/],
    ['in both', 'wokers: 3\nlifecycle:\n  t:\n    table: u\n', /^its keys are .*; keys of a table in lifecycle are /],
  ])('the hint names the keys of the place %s', async (_where, text, hint) => {
    await expect(parsed(text, 'lifecycle', 'status')).rejects.toMatchObject({ hint: expect.stringMatching(hint) })
  })

  it('a table without an entry is reported', async () => {
    expect(await refusal(FILE, 'lifecycle', 'status', '--table', 'public.Book ings')).toBe(
      "BAD_FLAG the lifecycle section of the config file has no table public.Book ings (did you mean public.Book ing's?)",
    )
    expect(await refusal('workers: 3\n', 'lifecycle', 'status')).toBe(
      'BAD_FLAG the config file has no table under lifecycle',
    )
    expect(await refusal(FILE, 'lifecycle', 'status', '--by', 'x')).toBe(
      'BAD_FLAG lifecycle status does not accept --by',
    )
  })
})

describe('commands on a table with an entry', () => {
  const TABLE = "public.Book ing's"
  const CALENDAR = { unit: 'quarter', firstMonth: 4, yearOffset: 1 }

  it('take options from the entry that the command line lacks', async () => {
    expect(await parsed(FILE, 'partition', 'plan', '--table', TABLE)).toMatchObject({
      from: ENV.SHOP,
      by: 'Made at',
      calendar: CALENDAR,
      slices: 'week',
      windowMs: 10_800_000,
      lanes: 4,
    })
    expect(await parsed(FILE, 'partition', 'plan', '--table', TABLE, '--workers', '2', '--by', 'id')).toMatchObject({
      by: 'id',
      lanes: 2,
    })
    expect(await parsed(FILE, 'partition', 'ensure', '--table', TABLE)).toMatchObject({ ahead: 5, calendar: CALENDAR })
    expect(await parsed(FILE, 'partition', 'list', '--table', TABLE)).toMatchObject({ ahead: 5, olderThan: '8q' })
    expect(await parsed(FILE, 'archive', 'run', '--table', TABLE)).toMatchObject({
      to: 's3://cold/archive',
      olderThan: '8q',
      graceMs: 172_800_000,
      calendar: { ...CALENDAR, firstWeekday: 1, zone: 'UTC' },
    })
    expect(await parsed(FILE, 'archive', 'plan', '--table', TABLE, '--to', '/there')).toMatchObject({ to: '/there' })
  })

  it('of lifecycle find it with and without the schema, others by exact name: a login may mean another schema', async () => {
    const bare = 'lifecycle: { bookings: { from: postgresql://h/d, by: at, lanes: 3 } }'
    for (const [text, name] of [
      [FILE, "Book ing's"],
      [bare, 'public.bookings'],
    ] as const) {
      expect(await parsed(text, 'lifecycle', 'status', '--table', name)).toMatchObject({ entries: [{}] })
    }
    for (const name of ['public.bookings', 'other.bookings'])
      expect(await parsed(bare, 'partition', 'plan', '--table', name, '--by', 'at', '--from', 'postgresql://h/d')).not.toHaveProperty('lanes', 3) // prettier-ignore
  })

  it('print the databases of the entry, because commands on a stream do not use entries', async () => {
    const both = 'lifecycle: { bookings: { from: $SHOP, to: $NEW, by: at } }'
    writeFileSync(file, both)
    const line = ['partition', 'run', '--table', 'bookings', '--config', file]
    const { request } = await parseCommandLine(line, { SHOP: 'postgresql://ann:secret@h/d', NEW: 'postgresql://h/new' })
    if (request.kind !== 'operation') throw new Error(request.kind)
    const printed = commandLine(line, null, [], request.reported?.printed)
    expect(printed).toContain('--from "$SHOP" --to "$NEW"')
    expect(wholeCommands(printed)('sluice follow 17 goes on')).toBe(
      `sluice follow 17 --from "$SHOP" --to "$NEW" --config ${file} goes on`,
    )
  })

  it('of an archive print the source with every command that they name', async () => {
    writeFileSync(file, 'lifecycle: { bookings: { from: $SHOP, archive: ./cold, older-than: 8q } }')
    const env = { SHOP: 'postgresql://ann:secret@h/d' }
    const line = ['archive', 'run', '--table', 'bookings', '--config', file]
    const { request } = await parseCommandLine(line, env)
    if (request.kind !== 'operation') throw new Error(request.kind)
    const whole = wholeCommands(commandLine(line, null, [], request.reported?.printed))
    for (const text of ['sluice slots --drop sluice_17', 'sluice restore --table bookings --partition 2020-Q1']) {
      const printed = whole(text)
      expect(printed).toBe(`${text} --from "$SHOP" --config ${file}`)
      await parseCommandLine(shellWords(printed, env).slice(1), env)
    }
  })

  it('take the epoch unit of integer columns', async () => {
    const at = ['--from', 'postgresql://h/d', '--table', 't', '--config', file]
    const entry = 'lifecycle: { t: { by: id, epoch: ms, archive: /a } }'
    const actions = [
      'partition list',
      'partition ensure',
      'partition plan',
      'partition run',
      'partition in-place',
      'archive plan',
    ]
    for (const action of actions)
      expect(await parsed(entry, ...action.split(' '), ...at)).toMatchObject({ epoch: 'ms' })
    expect(await parsed(`from: $SHOP\n${entry}`, 'lifecycle', 'status')).toMatchObject({ entries: [{ epoch: 'ms' }] })
  })

  it('take only the alerts that they can raise', async () => {
    const entry = `lifecycle: { t: { alert: 'lag>30s, none-ahead, failed', alert-command: page } }`
    const asked = async (...words: string[]): Promise<unknown> => {
      const operation = await parsed(entry, ...words, '--from', 'postgresql://h/d', '--table', 't')
      return 'alert' in operation ? operation.alert : undefined
    }
    const failed = { cause: 'failed' }
    expect(await asked('partition', 'ensure')).toEqual({
      conditions: [{ cause: 'none-ahead' }, failed],
      command: 'page',
    })
    expect(await asked('archive', 'run', '--to', '/a')).toEqual({ conditions: [failed], command: 'page' })
    expect(await asked('partition', 'plan', '--by', 'at')).toBeUndefined()
    expect(await asked('partition', 'ensure', '--alert', 'default-rows')).toMatchObject({
      conditions: [{ cause: 'default-rows' }],
    })
  })

  it('ignore the entry for another table, and for several tables', async () => {
    expect(await parsed(FILE, 'partition', 'ensure', '--table', "shop.Book ing's")).toMatchObject({
      ahead: 2,
      calendar: {},
    })
    expect(await parsed(FILE, 'partition', 'list', '--table', TABLE, '--table', 'u')).toMatchObject({
      ahead: 2,
      olderThan: '3y',
    })
  })

  it('are printed without a password, and with variables that the shell expands', async () => {
    const more = `${FILE}  other: {to: $DATABASE_URL}\n`
    const status = await parsed(more, 'lifecycle', 'status')
    if (status.kind !== 'lifecycle-status') throw new Error(status.kind)
    expect(status.databases).toEqual([ENV.SHOP, ENV.DATABASE_URL])
    expect(status.entries).toMatchObject([
      {
        table: TABLE,
        from: 0,
        ahead: 5,
        olderThan: '8q',
        archive: 's3://cold/archive',
        words: { stream: expect.stringMatching(/ --from "\$SHOP" --to "\$SHOP"$/) as string },
      },
      {
        table: 'other',
        from: 0,
        to: 1,
        ahead: 2,
        olderThan: '3y',
        words: { stream: expect.stringMatching(/ --to "\$DATABASE_URL"$/) as string },
      },
    ])
    expect(JSON.stringify(status.entries)).not.toContain('geheim')
  })
})

describe('phases as text', () => {
  it('name a table once, with reason and command below', () => {
    const lines = new LifecycleLines()
    const phase = { type: 'lifecycle.phase', table: 'public.a\u0007b' } as const
    const text = [
      lines.lines({ ...phase, phase: 1, name: 'partitioning', state: 'done', detail: 'by at' }),
      lines.lines({
        ...phase,
        phase: 3,
        name: 'new partitions',
        state: 'due',
        detail: '4 partitions',
        blocks: ['none ahead'],
        next: "sluice partition ensure --config c --table 'x'",
      }),
    ].join('')
    expect(text).toBe(
      [
        'public.a\\x07b',
        '  done           I   partitioning     by at',
        '  due            III new partitions   4 partitions',
        '                 why  none ahead',
        "                 do   sluice partition ensure --config c --table 'x'",
        '',
      ].join('\n'),
    )
  })
})

describe('writing an entry', () => {
  const entry: WrittenEntry = {
    table: 'public.a: "b"',
    found: ['empty'],
    from: '$SHOP',
    by: 'yes',
    calendar: DEFAULT_CALENDAR,
    ahead: 2,
  }
  const written = (before: string, replace = false): string => withEntry(before, entry, { file: 'f', replace })

  it('an entry is read back unchanged, whatever its names', async () => {
    const status = await parsed(written(''), 'lifecycle', 'status')
    expect(status).toMatchObject({ tables: [entry.table], entries: [{ by: 'yes' }] })
  })

  it('an entry leaves all other characters of the file unchanged', async () => {
    const before =
      '# top\nworkers:   3   # three\nlifecycle:  # all\n      # first\n      t: {by: x}\n\n# end\nlimit: 7'
    const text = written(before)
    const [, inner = ''] = /# all\n([^]*?) {6}# first/.exec(text) ?? []
    expect(text.replace(inner, '')).toBe(before)
    expect(await parsed(text, 'lifecycle', 'status')).toMatchObject({ tables: [entry.table, 't'] })
    const twice = written(text, true)
    expect(twice).toBe(text)
    expect(() => written(text)).toThrow('has an entry of')
  })

  it.each(['# only this\n', 'workers: 3', 'lifecycle:\nlimit: 7\n', 'lifecycle:\n'])(
    'an entry is added to %j',
    async (before) => {
      const text = written(before)
      expect(text.startsWith(before.split('\n')[0] ?? '')).toBe(true)
      expect(await parsed(text, 'lifecycle', 'status')).toMatchObject({ tables: [entry.table] })
    },
  )

  it.each(['{workers: 3}', '- a', 'lifecycle: {t: {by: x}}', 'lifecycle: [1]', 'a: [1'])(
    'an entry is refused for %j',
    (before) => {
      expect(() => written(before)).toThrow(/are not on separate lines|is not YAML/)
    },
  )
})
