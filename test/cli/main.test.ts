/** Whole commands, with an engine that replays events: the operations started, the output and the exit code. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/cli/main.ts'
import type { EnginePort, TuiPort } from '../../src/cli/ports.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import type { Workbench } from '../../src/app/workbench.ts'
import type { Event } from '../../src/model/run/event.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { eventSchema } from './event-schema.ts'
import { stamped } from './recorded.ts'
import { fakeContext, Leaving, playingEngine, typed } from './surroundings.ts'

const DB = 'sqlite:///catalog.db'
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-main-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const finished = (change: Partial<RunFinished> = {}): RunFinished => ({
  type: 'run.finished',
  status: 'ok',
  exitCode: 0,
  totals: {},
  ms: 5,
  ...change,
})

const good = (command: string, ending: Partial<RunFinished> = {}): Event[] =>
  stamped([
    [0, { type: 'run.started', command, tool: '0.1.0' }],
    [5, finished(ending)],
  ])

const lines = (text: string): Event[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => eventSchema.parse(JSON.parse(line)))

describe('a password on the command line', () => {
  const words = ['discover', 'postgresql://app:wicket@127.0.0.1/x']
  it('is warned about once, without the password', async () => {
    const around = fakeContext(playingEngine(() => good('discover-database')))
    expect(await main(words, around)).toBe(0)
    expect(around.err().match(/a password on the command line can be read/g)).toHaveLength(1)
    expect(around.err()).not.toContain('wicket')
  })
  it('is not reported as an event, and there is no warning without a password', async () => {
    const json = fakeContext(playingEngine(() => good('discover-database')))
    expect(await main([...words, '--json'], json)).toBe(0)
    expect(json.out() + json.err()).not.toContain('a password on')
    const without = fakeContext(playingEngine(() => good('discover-database')))
    expect(await main(['discover', 'postgresql://app@127.0.0.1/x'], without)).toBe(0)
    expect(without.err()).not.toContain('a password on')
  })
})

describe('usage errors', () => {
  it('end with 2 and a hint', async () => {
    const around = fakeContext()
    expect(await main(['discovr'], around)).toBe(2)
    expect(around.out()).toBe('')
    expect(around.err()).toBe(
      '0:00 FAILED   no such path or command: discovr (discover?)\n' +
        '     do       sluice discover --help shows how to call it\n' +
        '0:00 exit     2  NO_SUCH_PATH\n',
    )
  })
  it('are JSON with --json: run.started without a run, and run.finished', async () => {
    const around = fakeContext()
    expect(await main(['import', 't', '--json', '--batch-size', 'x', '--database-url', DB], around)).toBe(2)
    const [started, last, ...more] = lines(around.out())
    expect(more).toEqual([])
    expect(started).toMatchObject({ seq: 1, runId: null, type: 'run.started', command: 'import' })
    expect(last).toMatchObject({
      seq: 2,
      runId: null,
      type: 'run.finished',
      status: 'refused',
      exitCode: 2,
      error: { code: 'BAD_FLAG' },
    })
    expect(around.err()).toBe('')
  })
  it('--tui without a terminal', async () => {
    const around = fakeContext()
    expect(await main(['--tui', '.'], around)).toBe(2)
    expect(around.err()).toContain('do       run it in a terminal without pipes')
  })
  it('never print a password', async () => {
    const around = fakeContext()
    await main(['import', 't', '--database-url=postgresql://app:hunter22@db/c', '--hunter22'], around)
    expect(around.err()).not.toContain('hunter22')
  })
  it('include a log file that cannot be opened', async () => {
    const around = fakeContext()
    expect(await main(['discover', '.', '--log-file', '/dev/null/x'], around)).toBe(2)
    expect(around.err()).toContain('FAILED   the log file cannot be opened')
  })
})

describe('help pages', () => {
  it.each(['import', 'files', 'rollback'])('%s is printed to stdout and ends with 0', async (command) => {
    const around = fakeContext()
    expect(await main([command, '--help'], around)).toBe(0)
    expect(around.out()).toContain(`sluice ${command} <table>`)
    expect(around.err()).toBe('')
  })
})

describe('an operation', () => {
  it('is started with the command that repeats it', async () => {
    const { engine, started } = playingEngine(() => good('import'))
    const around = fakeContext({ engine, env: { SLUICE_DATABASE_URL: 'sqlite:///v.db' } })
    expect(await main(['import', './a b', '--ci', '--resume'], around)).toBe(0)
    expect(started).toMatchObject([
      {
        operation: { kind: 'import', table: './a b', catalog: 'sqlite:///v.db', resume: true },
        commandLine: `sluice import './a b' --resume --database-url "$SLUICE_DATABASE_URL"`,
        tool: '0.1.0',
      },
    ])
  })
  it('ends with the exit code of the run', async () => {
    const error = new SluiceError('DIFFERENCES', 'the catalog differs from the log').info()
    const { engine } = playingEngine(() => good('validate', { status: 'failed', exitCode: 1, error }))
    const around = fakeContext({ engine })
    expect(await main(['validate', 't', '--database-url', DB], around)).toBe(1)
    expect(around.err()).toMatch(/exit {5}1 {2}the catalog differs from the log\n$/)
  })
  it('ends with 70 if the engine fails, and still with run.finished', async () => {
    const { engine } = playingEngine(() => [])
    const around = fakeContext({ engine })
    expect(await main(['runs', '--json', '--database-url', DB], around)).toBe(70)
    expect(lines(around.out()).map(({ type }) => type)).toEqual(['run.started', 'run.finished'])
  })
  it('without a command and a terminal is a list', async () => {
    const { engine, started } = playingEngine(() => good('discover'))
    expect(await main([folder], fakeContext({ engine }))).toBe(0)
    expect(await main(['sqlite:///x.db'], fakeContext({ engine }))).toBe(0)
    expect(started.map(({ operation }) => operation)).toEqual([
      { kind: 'discover', path: folder, recursive: true, exclude: [] },
      { kind: 'migration-status', catalog: 'sqlite:///x.db' },
    ])
    expect(started[0]?.commandLine).toBe(`sluice discover ${folder} --recursive`)
  })
})

describe('rollback', () => {
  const argv = ['rollback', 'finance/ledger', '--database-url', DB]
  it('needs --confirm without a terminal', async () => {
    const { engine, started } = playingEngine(() => good('rollback'))
    const around = fakeContext({ engine })
    expect(await main(argv, around)).toBe(2)
    expect(around.err()).toContain('exit     2  MISSING_CONFIRM')
    expect(around.err()).toContain('--confirm=finance/ledger')
    expect(started).toEqual([])
    expect(await main([...argv, '--dry-run'], fakeContext({ engine }))).toBe(0)
    expect(await main([...argv, '--confirm=finance/ledger'], fakeContext({ engine }))).toBe(0)
    expect(started).toHaveLength(2)
  })
  it.each([
    ['finance/ledger\n', 0],
    ['something else\n', 2],
  ])('asks in a terminal: %j', async (answer, exitCode) => {
    const { engine, started } = playingEngine(() => good('rollback'))
    const around = fakeContext({ engine, tty: true })
    const ending = main(argv, around)
    while (!around.err().includes('Type finance/ledger to remove it')) await sleep(1)
    typed(around, answer)
    expect(await ending).toBe(exitCode)
    const trial = { dryRun: true }
    expect(started.map(({ operation }) => operation)).toMatchObject(
      exitCode === 0 ? [trial, { dryRun: false, confirm: 'finance/ledger' }] : [trial],
    )
  })
})

describe('rollback in a terminal', () => {
  const argv = ['rollback', './t', '--database-url', DB]
  const check = {
    type: 'verify.check',
    table: 't-1a2b3c4d',
    version: '1',
    check: 'c',
    log: '',
    catalog: '',
    witness: 'w',
  } as const
  it('asks for the table id of the catalog, and treats ctrl-c as no', async () => {
    const { engine, started } = playingEngine(() =>
      stamped([
        [0, { type: 'run.started', command: 'rollback', tool: '0.1.0' }],
        [1, { ...check, equal: true }],
        [2, finished()],
      ]),
    )
    const around = fakeContext({ engine, tty: true })
    const ending = main(argv, around)
    while (!around.err().includes('Type t-1a2b3c4d to remove it')) await sleep(1)
    typed(around, '\u0003')
    expect(await ending).toBe(130)
    expect(around.err()).toMatch(/exit {5}130 stopped before anything was changed\n$/)
    expect(started).toHaveLength(1)
  })
  it('does not ask if the checks fail', async () => {
    const error = new SluiceError('NOT_SAFE', 'data files are missing').info()
    const { engine } = playingEngine(() => good('rollback', { status: 'failed', exitCode: 1, error }))
    const around = fakeContext({ engine, tty: true })
    expect(await main(argv, around)).toBe(1)
    expect(around.err()).toMatch(/exit {5}1 {2}data files are missing\n$/)
  })
})

describe('stopping', () => {
  /** An engine that waits for the stop, or for the abort. */
  const waiting = (until: 'stop' | 'abort'): EnginePort =>
    playingEngine(async (operation, { interrupt, commandLine }) => {
      await new Promise((resolve) => interrupt[until].addEventListener('abort', resolve))
      const { reason } = interrupt[until] as { reason: SluiceError }
      return good(operation.kind, {
        status: 'stopped',
        exitCode: reason.exitCode,
        error: reason.info(),
        resumeCommand: commandLine,
      })
    }).engine

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 143],
  ])('%s stops with %i and prints the command to continue', async (signal, exitCode) => {
    const around = fakeContext({ engine: waiting('stop') })
    const ending = main(['import', 't', '--database-url', DB], around)
    await sleep(50)
    around.signals.emit(signal)
    expect(await ending).toBe(exitCode)
    expect(around.err()).toContain('stopping after the running batch; press again to abort')
    expect(around.err()).toContain(`next     sluice import t --database-url ${DB}\n`)
    expect(around.err()).toMatch(new RegExp(`exit {5}${exitCode} stopped by ${signal}\n$`))
    expect(around.signals.listenerCount('SIGINT')).toBe(0)
  })
  it('repeats within a second count as one press, and a later press aborts', async () => {
    let ticks = 0
    const around = { ...fakeContext({ engine: waiting('abort') }), clock: { now: () => 0, ticks: () => ticks } }
    const ending = main(['import', 't', '--json', '--database-url', DB], around)
    await sleep(50)
    around.signals.emit('SIGINT')
    ticks = 900
    around.signals.emit('SIGINT')
    await sleep(20)
    expect(around.err()).not.toContain('aborting')
    ticks = 2000
    around.signals.emit('SIGINT')
    expect(await ending).toBe(130)
    expect(lines(around.out()).at(-1)).toMatchObject({ exitCode: 130, status: 'stopped', error: { code: 'ABORTED' } })
    expect(around.died).toEqual([])
  })
  it('--max-runtime stops with 75', async () => {
    const around = fakeContext({ engine: waiting('stop') })
    expect(await main(['import', 't', '--max-runtime', '30ms', '--database-url', DB], around)).toBe(75)
    expect(around.err()).toContain('exit     75 the time of --max-runtime (0.0 s) has ended')
  })
})

describe('--metrics', () => {
  it.each([
    ['a list', ['runs', '--database-url', DB]],
    ['a plan', ['import', 't', '--dry-run', '--database-url', DB]],
    ['another program', ['ctl', '1']],
  ])('is refused for %s', async (_what, words) => {
    const { engine, started } = playingEngine(() => [])
    const around = fakeContext({ engine })
    expect(await main([...words, '--metrics', '0'], around)).toBe(2)
    expect(around.err()).toContain('--metrics is for long runs')
    expect(started).toEqual([])
  })

  it('prints the address that it serves', async () => {
    const { engine } = playingEngine(() =>
      stamped([
        [0, { type: 'run.started', command: 'import', tool: '0.1.0' }],
        [1, finished()],
      ]),
    )
    const around = fakeContext({ engine })
    expect(await main(['import', 't', '--metrics', '127.0.0.1:0', '--database-url', DB], around)).toBe(0)
    expect(around.err()).toMatch(/metrics http:\/\/127\.0\.0\.1:\d+\/metrics/)
  })
})

describe('a reader that closes stdout', () => {
  const rows = (count: number): Event[] =>
    stamped([
      [0, { type: 'run.started', command: 'discover', tool: '0.1.0' }],
      ...Array.from(
        { length: count },
        (_, n) => [1, { type: 'table', table: `t${n}`, location: `/t${n}`, readable: true }] as const,
      ),
      [2, finished()],
    ])
  it('does not make the command fail', async () => {
    const { engine } = playingEngine(() => rows(1000))
    const stdout = new Leaving(100)
    const around = fakeContext({ engine, stdout })
    expect(await main(['discover', '.', '--json'], around)).toBe(0)
    expect(around.err()).toBe('')
  })
  it('ends a list early, also with 0', async () => {
    const engine = playingEngine(async (_operation, { interrupt, onEvent }) => {
      for (const event of rows(10).slice(0, -1)) onEvent(event)
      await new Promise((resolve) => interrupt.abort.addEventListener('abort', resolve))
      return good('discover', { status: 'stopped', exitCode: 75 }).slice(1)
    }).engine
    expect(await main(['discover', '.', '--json'], fakeContext({ engine, stdout: new Leaving(100) }))).toBe(0)
  })
  it('a full disk is an error', async () => {
    const { engine } = playingEngine(() => rows(10))
    const around = fakeContext({ engine, stdout: new Leaving(0, 'ENOSPC') })
    expect(await main(['discover', '.', '--json'], around)).toBe(4)
    expect(around.err()).toContain('the output cannot be written: write ENOSPC')
  })
})

describe('the terminal UI', () => {
  it('opens on a lake with a catalog of its own, and prints the next command at its end', async () => {
    const opened: unknown[] = []
    let disposed = 0
    const workbench = { [Symbol.asyncDispose]: () => Promise.resolve(void (disposed += 1)) } as unknown as Workbench
    const engine: EnginePort = {
      ...playingEngine(() => []).engine,
      openWorkbench: (options) => {
        opened.push(options)
        return Promise.resolve(workbench)
      },
    }
    const tui: TuiPort = {
      runTui: ({ onEvent }) => {
        for (const event of good('import')) onEvent?.(1, event)
        return Promise.resolve({ exitCode: 75, isStillRunning: false })
      },
    }
    const around = fakeContext({ engine, tui, tty: true, env: { XDG_STATE_HOME: folder } })
    expect(await main([folder], around)).toBe(75)
    expect(opened).toMatchObject([{ lake: folder, tool: '0.1.0' }])
    expect((opened[0] as { catalog: string }).catalog).toMatch(
      new RegExp(`^sqlite:///${folder}/sluice/catalogs/${path.basename(folder)}-[0-9a-f]{8}\\.db$`),
    )
    expect(around.err()).toMatch(/exit {5}0/)
    expect(disposed).toBe(1)
    expect(await main(['sqlite:///x.db'], around)).toBe(75)
    expect(opened[1]).toMatchObject({ lake: null, catalog: 'sqlite:///x.db' })
  })
})

it('the opened store is not listed a second time, whatever path the config file has for it', async () => {
  const lake = mkdtempSync(path.join(folder, 'lake-'))
  const file = path.join(folder, 'stores.yaml')
  writeFileSync(file, `stores:\n  own: ${path.dirname(lake)}/./${path.basename(lake)}/\n  other: s3://bucket/other\n`)
  const workbench = { catalog: 'x', [Symbol.asyncDispose]: () => Promise.resolve() } as unknown as Workbench
  const engine: EnginePort = { ...playingEngine(() => []).engine, openWorkbench: () => Promise.resolve(workbench) }
  const listed: unknown[] = []
  const tui: TuiPort = {
    runTui: ({ stores }) => {
      listed.push(stores?.map(({ name }) => name))
      return Promise.resolve({ exitCode: 0, isStillRunning: false })
    },
  }
  const around = fakeContext({ engine, tui, tty: true, env: { XDG_STATE_HOME: folder } })
  expect(await main([lake, '--config', file], around)).toBe(0)
  expect(listed).toEqual([['other']])
})

it('a config file gives defaults', async () => {
  const file = path.join(folder, 'sluice.yaml')
  writeFileSync(file, `database-url: ${DB}\nbatch-size: 77\n`)
  const { engine, started } = playingEngine(() => good('import'))
  expect(await main(['import', 't', '--config', file], fakeContext({ engine }))).toBe(0)
  expect(started).toMatchObject([
    { operation: { catalog: DB, batchSize: 77 }, commandLine: `sluice import t --config ${file}` },
  ])
})
