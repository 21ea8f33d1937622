/** Forms of commands on the screen: found by name, filled in, planned, copied; nothing starts without confirmation. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { uiCommands } from '../../src/cli/ui/commands.ts'
import type { CommandPort } from '../../src/app/command-port.ts'
import { fakeWorkbench, NOW } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'
import { expectGolden } from './support/golden.ts'

const PASSWORD = 'p%40ss'
const COPY = `copy --from postgresql://app:${PASSWORD}@db/shop --to sqlite:///copy.db --table orders --table 'my table' --workers 3`

let commands: CommandPort
let open: App[] = []
beforeAll(async () => {
  process.env['TZ'] = 'UTC'
  commands = await uiCommands({ env: {} }, { secrets: [], urls: [] })
})
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

async function start(options: AppOptions = {}): Promise<App> {
  const app = openApp({ commands, fake: fakeWorkbench({ hold: 'all' }), ...options })
  open.push(app)
  await app.until('crm/acc')
  return app
}

/** Opens the form of a command with the typed options. */
async function formOf(app: App, line: string, until: string | RegExp): Promise<void> {
  await app.press([':'], '╭─ :')
  await app.press([line], '›')
  await app.press(['enter'], until)
}

describe.each([
  [40, 10],
  [80, 24],
  [120, 40],
  [200, 50],
] as const)('a form at %i×%i', (columns, rows) => {
  it('is drawn completely', async () => {
    const app = await start({ columns, rows })
    await formOf(app, COPY.replace(` --table 'my table'`, ''), /enter shows its p/)
    await app.press(['down', 'down'], /› ● table +orders▏/)
    if (columns >= 120) await app.until('asking …')
    await app.settled()
    expect(app.screen().split('\n')).toHaveLength(rows)
    expect(app.screen()).not.toContain(PASSWORD)
    expectGolden(`form-${columns}x${rows}`, app.screen())
  })
})

describe('a form', () => {
  it('starts nothing, whatever letters are typed, and all letters are kept', async () => {
    const app = await start()
    await formOf(app, 'archive run', 'archive run ·')
    await app.press(['down', 'ivcrdxXpyqSRasLtz:?/123'], 'ivcrdxXpyqSRasLtz:?/123▏')
    // A flag accepts no letters.
    await app.press(['ctrl-f', 'remove detached part'], /find +remove/)
    await app.press(['enter', 'y', 'Y', 'x', 'X', 'i'], /› +drop +no/)
    await app.press(['space'], /› ● drop +yes/)
    // `folder` contains the text too, but the option whose name begins with it is chosen.
    await app.press(['ctrl-f', 'older'], /› +older-than/)
    await app.press(['enter', '8q'], /› ● older-than +8q/)
    await app.press(['esc'], '› crm/accounts')
    expect(app.fake.runsStarted).toHaveLength(0)
  })

  it('stays open if a letter is typed with alt, and so does the palette', async () => {
    const app = await start()
    await formOf(app, 'archive run', 'archive run ·')
    await app.press(['down', 'month'], 'month▏')
    await app.press(['\u001bb', 's'], 'months▏')
    await app.press(['esc'], '› crm/accounts')
    await app.press([':', 'imp'], ': imp▏')
    await app.press(['\u001bf'], 'alt-f does nothing here')
    await app.press(['o'], ': impo▏')
  })

  it('is filled in from the row that it was opened on', async () => {
    const app = await start()
    await formOf(app, 'verify-rollback', /TABLE +\.\/lake\/crm\/accounts/)
    expect(app.screen()).toMatch(/database-url +sqlite:\/\/\/lake.db/)
  })

  it('shows the plan first, copies the command, and returns with its values', async () => {
    const app = await start()
    await formOf(app, COPY, 'enter shows its plan')
    expect(app.screen()).toContain("'my table'")
    await app.press(['enter'], 'planning …')
    const [plan] = app.fake.runsStarted
    expect(plan?.operation).toMatchObject({ kind: 'copy', dryRun: true, tables: ['orders', 'my table'], workers: 3 })
    // Only the workbench has the password.
    expect(JSON.stringify(plan?.operation)).not.toContain(PASSWORD)
    plan?.emit({
      type: 'plan.ready',
      hash: '5b1e09c2',
      tables: '2',
      chunks: '4',
      unit: 'row',
      total: '10',
      estimated: false,
      bytes: '0',
      excluded: [],
    })
    plan?.finish(0)
    await app.press(['y'], 'copied: command')
    await app.press(['esc'], 'enter shows its plan')
    expect(app.screen()).toMatch(/● table +orders 'my table'/)
    expect(app.fake.runsStarted).toHaveLength(1)

    await app.press(['enter'], 'planning …')
    app.fake.runsStarted[1]?.finish(0)
    await app.until('Start (tab goes there)')
    await app.press(['tab'], 'enter starts it')
    await app.press(['enter'], '[2 Runs]')
    expect(app.fake.runsStarted[2]?.operation).toMatchObject({ kind: 'copy', dryRun: false })
    expect(app.fake.runsStarted[2]?.commandLine).toBe(
      "sluice copy --from postgresql://app@db/shop --to sqlite:///copy.db --table orders --table 'my table' --workers 3",
    )
    app.fake.runsStarted[2]?.finish(0)
    expect(app.raw()).not.toContain(PASSWORD)
  })

  it('forgets versions that are missing in the log: the check offers it, and the name is typed below the plan', async () => {
    const app = await start()
    await app.press(['r'], 'reading the log again')
    app.fake.runsStarted[0]?.finish(1, {
      error: { code: 'NOT_SAFE', message: 'only the catalog has versions 0 to 3', retryable: false },
    })
    await app.until('Forget …')
    await app.press(['tab', 'enter'], /● forget +yes/)
    expect(app.screen()).toMatch(/TABLE +\.\/lake\/crm\/accounts/)
    await app.press(['enter'], 'planning …')
    const plan = app.fake.runsStarted[1]
    expect(plan?.operation).toMatchObject({ kind: 'rollback', forget: true, dryRun: true })
    plan?.emit({
      type: 'verify.check',
      table: 'accounts-1',
      version: '3',
      check: 'every version',
      equal: false,
      log: '',
      catalog: 'v0 to v3',
      witness: '',
    })
    plan?.finish(0)
    await app.until('Type accounts-1 to continue')
    await app.press(['accounts-1'], 'tab goes there')
    await app.press(['tab'], 'enter starts it')
    await app.press(['enter'], '[2 Runs]')
    expect(app.fake.runsStarted[2]?.operation).toMatchObject({ forget: true, dryRun: false, confirm: 'accounts-1' })
    app.fake.runsStarted[2]?.finish(0)
  })

  it('names the missing operands, and no others', async () => {
    const app = await start()
    await formOf(app, 'query', 'query ·')
    await app.press(['orders'], /QUERY is missing/)
    expect(app.screen()).not.toMatch(/TABLE (?:QUERY )?is missing/)
    // An operand does not replace a missing one before it.
    await app.press(['ctrl-u', 'down', 'SELECT 1'], 'TABLE is missing')
    await app.press(['enter'], 'TABLE is missing')
    expect(app.fake.runsStarted).toHaveLength(0)
  })

  it.each([
    [40, 10],
    [80, 24],
    [200, 50],
  ])('shows the complete error at %i×%i', async (columns, rows) => {
    const app = await start({ columns, rows })
    await formOf(app, 'query orders --from hello', /query/)
    const words =
      '--from is not a URL: write it like postgresql://user@host/database, mysql://user@host/database, sqlite:///file.db or duckdb:///file.duckdb'
    // Joins the text in the frame, without the panel next to it.
    const text = (lines: readonly string[]): string =>
      lines
        .map((row) => row.split('│')[1] ?? '')
        .join('')
        .replaceAll(/\s+/g, '')
    await app.press(['SELECT 1'], '--from is not a URL')
    if (columns >= 80) {
      await app.until((screen) => text(screen.split('\n')).includes(words.replaceAll(' ', '')))
      await app.press(['enter'], 'SELECT 1')
      return
    }
    await app.until('enter: all of it')
    await app.press(['enter'], (screen) => !screen.includes('enter: all of it'))
    const seen: string[] = []
    for (let at = 0; at < 12; at += 1) {
      await app.settled()
      seen.push(
        ...app
          .screen()
          .split('\n')
          .filter((row) => !seen.includes(row)),
      )
      app.type('down')
    }
    expect(text(seen)).toContain(words.replace(': ', '').replaceAll(' ', ''))
    // The form is shown again with its values.
    await app.press(['esc'], 'SELECT 1')
  })

  it('offers only runs that can be cut over to a cutover', async () => {
    const stream = '1795420000000000007'
    const fake = fakeWorkbench({ hold: 'all' })
    const begunAt = NOW - 1000
    const run = {
      source: null,
      target: null,
      about: 't',
      host: 'here',
      state: 'live',
      canJoin: false,
      end: null,
      doneBy: null,
    }
    Object.assign(fake, {
      machine: {
        list: async () => [
          { ...run, run: '1795420000000000009', kind: 'import', commandLine: 'sluice import t', begunAt: begunAt + 2 },
          { ...run, run: '1795420000000000008', kind: 'copy', commandLine: 'sluice copy', begunAt: begunAt + 1 },
          { ...run, run: stream, kind: 'copy', commandLine: 'sluice copy --follow', begunAt },
        ],
        watch: () => () => undefined,
      },
    })
    const app = await start({ fake, columns: 120, rows: 40 })
    await app.press(['2'], '1795420000000000009')
    await formOf(app, 'cutover', /RUN +(?:needed|▏needed)/)
    await app.until(new RegExp(`tab +${stream}`))
    expect(app.screen()).not.toMatch(/179542000000000000[89]/)
    await app.press(['esc'], 'STARTED')
    await app.press(['g', 'j', 'j'], new RegExp(`› .*${stream}`))
    await formOf(app, 'cutover', new RegExp(`RUN +${stream}`))
  })

  it('reports missing and wrong values while they are typed, and makes no plan of them', async () => {
    const app = await start()
    await formOf(app, 'fsck --seed x', 'fsck ·')
    await app.press(['ctrl-u'], 'TABLE is missing')
    await app.press(['enter'], 'TABLE is missing')
    await app.press(['x', 'ctrl-f', 'seed'], /› ● seed/)
    expect(app.fake.runsStarted).toHaveLength(0)
    await app.press(['enter'], 'ctrl-f find')
    await app.press(['esc'], '› crm/accounts')
    await formOf(app, 'copy --nonsense 1', 'has no field for --nonsense')
  })

  it('needs the typed name before data is removed', async () => {
    const app = await start()
    await formOf(app, 'prune crm/accounts --keep-versions 10', 'enter shows its plan')
    await app.press(['enter'], 'planning …')
    app.fake.runsStarted[0]?.finish(0)
    await app.until('Type crm/accounts to continue')
    await app.press(['tab', 'enter'], 'needs the name')
    await app.press(['crm/account', 'enter'], 'needs the name')
    expect(app.fake.runsStarted).toHaveLength(1)
    await app.press(['s', 'enter'], '[2 Runs]')
    expect(app.fake.runsStarted[1]?.operation).toMatchObject({ kind: 'prune', dryRun: false, confirm: 'crm/accounts' })
    app.fake.runsStarted[1]?.finish(0)
  })

  it('of a listing shows its rows at once, and does not remain in the list of runs', async () => {
    const app = await start()
    await formOf(app, 'history', 'history ·')
    await app.press(['enter'], 'asking …')
    const [asked] = app.fake.runsStarted
    asked?.emit({ type: 'columns', columns: ['version'] })
    for (let version = 0; version < 6000; version += 1) asked?.emit({ type: 'row', values: [String(version)] })
    asked?.finish(0)
    await app.until('that is all')
    expect(asked?.calls).toContain('stop')
    await app.press(['G'], 'that is all')
    await app.press(['esc'], 'enter asks')
    await app.press(['esc', '2'], '[2 Runs]')
    expect(app.screen()).not.toContain('history ')
  })

  it('shows the current plan next to it if there is space', async () => {
    const app = await start({ columns: 140, rows: 40 })
    await formOf(app, COPY, 'asking …')
    expect(app.fake.runsStarted).toHaveLength(1)
    await app.press(['backspace', 'd', 'b', '2'], 'shodb2')
    await vi.waitFor(() => expect(app.fake.runsStarted).toHaveLength(2), 8000)
    // The plan of the earlier values is aborted.
    expect(app.fake.runsStarted[0]?.calls).toContain('abort')
    app.fake.runsStarted[1]?.finish(0)
    await app.press(['esc'], '› crm/accounts')
  })

  it('tab completes the common prefix, and then cycles through the candidates', async () => {
    const app = await start({ columns: 120, rows: 30 })
    await formOf(app, 'import ./lake/s', /tab +\.\/lake\/s/)
    await app.press(['tab'], './lake/sales/customers▏')
    await app.press(['tab'], './lake/sales/orders▏')
  })
})
