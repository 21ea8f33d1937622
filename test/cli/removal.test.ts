/** Commands that remove data ask for a name in a terminal, and continue without one in a job. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { stamped } from './recorded.ts'
import { fakeContext, playingEngine, typed } from './surroundings.ts'

const PRUNE = ['prune', 'finance/ledger', '--keep-versions', '3', '--database-url', 'sqlite:///c.db']
const PRUNE_ALL = ['prune', '--all', '--older-than', '30d', '--database-url', 'sqlite:///c.db']
const SWEEP = ['archive', 'sweep', '--from', 'sqlite:///s.db', '--table', 'bookings']

const removing = (totals: Readonly<Record<string, string>>) =>
  playingEngine(() =>
    stamped([
      [0, { type: 'run.started', command: 'prune', tool: '0.1.0' }],
      [1, { type: 'run.finished', status: 'ok', exitCode: 0, totals, ms: 1 }],
    ]),
  )

describe.each([
  ['prune of a table', PRUNE, { tables: '1', delta_files: '4' }, 'finance/ledger', 'remove these versions'],
  ['prune of all tables', PRUNE_ALL, { tables: '2', delta_files: '4' }, 'all', 'remove these versions'],
  ['archive sweep', SWEEP, { findings: '1', bytes: '96' }, 'bookings', 'remove these files'],
])('%s', (_case, argv, totals, name, what) => {
  it.each([
    [`${name}\n`, 0],
    ['something else\n', 2],
  ])('asks in a terminal: %j', async (answer, exitCode) => {
    const { engine, started } = removing(totals)
    const around = fakeContext({ engine, tty: true })
    const ending = main(argv, around)
    while (!around.err().includes(`Type ${name} to ${what}`)) await sleep(1)
    typed(around, answer)
    expect(await ending).toBe(exitCode)
    const trial = { dryRun: true }
    expect(started.map(({ operation }) => operation)).toMatchObject(
      exitCode === 0 ? [trial, { dryRun: false, confirm: name }] : [trial],
    )
  })

  it('continues without a terminal or with --confirm; another name is refused', async () => {
    const { engine, started } = removing(totals)
    expect(await main(argv, fakeContext({ engine }))).toBe(0)
    expect(await main([...argv, `--confirm=${name}`], fakeContext({ engine, tty: true }))).toBe(0)
    expect(await main([...argv, '--dry-run'], fakeContext({ engine, tty: true }))).toBe(0)
    expect(started.map(({ operation }) => operation)).toMatchObject([
      { dryRun: false },
      { dryRun: false, confirm: name },
      { dryRun: true },
    ])
    const around = fakeContext({ engine })
    expect(await main([...argv, '--confirm=other'], around)).toBe(2)
    expect(around.err()).toMatch(
      new RegExp(`--confirm names other, but the (?:files|versions) to remove are of ${name}`),
    )
    expect(started).toHaveLength(3)
  })

  it('does not ask if nothing would be removed', async () => {
    const { engine, started } = removing({ tables: '1', findings: '0', bytes: '0' })
    expect(await main(argv, fakeContext({ engine, tty: true }))).toBe(0)
    expect(started.map(({ operation }) => operation)).toMatchObject([{ dryRun: true }, { dryRun: false }])
  })
})

describe('slots --drop', () => {
  const LIST = ['slots', '--from', 'postgresql://me@db/app']
  const DROP = [...LIST, '--drop', 'sluice_17']

  it('asks in a terminal, after it has shown the slot', async () => {
    for (const [answer, exitCode] of [
      ['sluice_17\n', 0],
      ['yes\n', 2],
    ] as const) {
      const { engine, started } = removing({ slots: '1', removed: '0' })
      const around = fakeContext({ engine, tty: true })
      const ending = main(DROP, around)
      while (!around.err().includes('Type sluice_17 to remove this slot')) await sleep(1)
      typed(around, answer)
      expect(await ending).toBe(exitCode)
      const trial = { kind: 'slots', drop: 'sluice_17', dryRun: true }
      expect(started.map(({ operation }) => operation)).toMatchObject(
        exitCode === 0 ? [trial, { drop: 'sluice_17', confirm: 'sluice_17', dryRun: false }] : [trial],
      )
    }
  })

  it('accepts --confirm, refuses another name, and a list does not ask', async () => {
    const { engine, started } = removing({ slots: '0' })
    expect(await main(LIST, fakeContext({ engine, tty: true }))).toBe(0)
    expect(await main([...DROP, '--confirm=sluice_17'], fakeContext({ engine }))).toBe(0)
    expect(started.map(({ operation }) => operation)).toEqual([
      { kind: 'slots', from: 'postgresql://me@db/app', dryRun: false },
      { kind: 'slots', from: 'postgresql://me@db/app', drop: 'sluice_17', confirm: 'sluice_17', dryRun: false },
    ])
    const around = fakeContext({ engine })
    expect(await main([...DROP, '--confirm=other'], around)).toBe(2)
    expect(around.err()).toContain('--confirm names other, but --drop names sluice_17')
    const alone = fakeContext({ engine })
    expect(await main([...LIST, '--confirm=other'], alone)).toBe(2)
    expect(alone.err()).toContain('--confirm has nothing to confirm')
    expect(started).toHaveLength(2)
  })
})

describe('partition decommission', () => {
  const RETIRE = ['partition', 'decommission', '--from', 'postgresql://me@db/app', '--table', 'bookings']
  const table = 'public.bookings_old'
  const standing = (drops: boolean) =>
    playingEngine(() =>
      stamped([
        [0, { type: 'run.started', command: 'partition-decommission', tool: '0.1.0' }],
        [1, { type: 'decommission.step', table, public: 'public.bookings', step: 'inactive', status: 'found' }],
        ...(drops
          ? [
              [
                2,
                { type: 'decommission.step', table, public: 'public.bookings', step: 'dropped', status: 'planned' },
              ] as const,
            ]
          : []),
        [3, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { steps: '0' }, ms: 1 }],
      ]),
    )

  it('asks for the name of the old table if the dry run would drop it', async () => {
    for (const [answer, exitCode] of [
      [`${table}\n`, 0],
      ['bookings\n', 2],
    ] as const) {
      const { engine, started } = standing(true)
      const around = fakeContext({ engine, tty: true })
      const ending = main(RETIRE, around)
      while (!around.err().includes(`Type ${table} to drop it`)) await sleep(1)
      typed(around, answer)
      expect(await ending).toBe(exitCode)
      const trial = { dryRun: true, graceMs: 7 * 86_400_000 }
      expect(started.map(({ operation }) => operation)).toMatchObject(
        exitCode === 0 ? [trial, { dryRun: false, confirm: table }] : [trial],
      )
    }
  })

  it("of a whole database asks for the table's name, and refuses --table", async () => {
    const WHOLE = [
      'partition',
      'decommission',
      '--database',
      '--from',
      'postgresql://me@db/old',
      '--to',
      'postgresql://me@db/new',
    ]
    const { engine, started } = standing(true)
    const around = fakeContext({ engine, tty: true })
    const ending = main([...WHOLE, '--leave', 'a b', '--leave', 'large objects'], around)
    while (!around.err().includes(`Type ${table} to drop it`)) await sleep(1)
    typed(around, `${table}\n`)
    expect(await ending).toBe(0)
    const whole = {
      kind: 'partition-decommission-database',
      from: 'postgresql://me@db/old',
      to: 'postgresql://me@db/new',
      leave: ['a b', 'large objects'],
      graceMs: 7 * 86_400_000,
    }
    expect(started.map(({ operation }) => operation)).toMatchObject([
      { ...whole, dryRun: true },
      { ...whole, dryRun: false, confirm: table },
    ])
    const table2 = fakeContext({ engine })
    expect(await main([...WHOLE, '--table', 'bookings'], table2)).toBe(2)
    const plain = fakeContext({ engine })
    expect(await main([...RETIRE, '--leave', 'x'], plain)).toBe(2)
    expect(plain.err()).toContain('use it with partition decommission --database')
  })

  it('does not ask for a step that can be undone', async () => {
    const { engine, started } = standing(false)
    expect(await main(RETIRE, fakeContext({ engine, tty: true }))).toBe(0)
    expect(await main([...RETIRE, '--inactive'], fakeContext({ engine, tty: true }))).toBe(0)
    expect(await main([...RETIRE, '--undo'], fakeContext({ engine, tty: true }))).toBe(0)
    expect(started.map(({ operation }) => operation)).toMatchObject([
      { dryRun: true },
      { dryRun: false, inactive: false },
      { dryRun: false, inactive: true },
      { dryRun: false, undo: true },
    ])
  })
})
