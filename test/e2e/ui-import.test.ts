/**
 * An import in a terminal that is stopped, aborted, killed or hung up: the same command again always ends in the same
 * catalog.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL } from '../support/backend.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import type { PtyApp } from '../tui/support/pty.ts'
import { digestOf, makeTable, run } from './support/program.ts'
import { closing, endLeftovers, expectRestored, start } from './support/terminal.ts'

describe('an import in a terminal', () => {
  const FILES = 24_000
  let folder: Folder
  let cwd = ''
  let table = ''
  let undisturbed = ''

  beforeAll(async () => {
    folder = temporaryFolder()
    cwd = folder.path
    table = makeTable(cwd, 'big', FILES)
    await run(cwd, ['import', table, '--database-url', 'sqlite:///clean.db', '--ci'])
    undisturbed = await digestOf(join(cwd, 'clean.db'))
  })
  endLeftovers()
  afterAll(() => folder[Symbol.dispose]())

  const words = (name: string): readonly string[] => [
    'import',
    table,
    '--database-url',
    `sqlite:///${name}.db`,
    '--batch-size',
    '1000',
  ]
  const under = (app: PtyApp): Promise<void> => app.until(/importing\s+[1-9]\d? %/)

  /** Runs the same command without a terminal to its end; the catalog must be that of an undisturbed import. */
  async function expectGoesOn(name: string): Promise<void> {
    expect(await run(cwd, [...words(name), '--ci'])).toMatchObject({ code: 0 })
    expect(await digestOf(join(cwd, `${name}.db`))).toBe(undisturbed)
  }

  /** The same in a terminal. */
  async function expectGoesOnHere(name: string, args = words(name)): Promise<void> {
    const app = start(cwd, [...args, '--quit'])
    const { exitCode } = await app.ended
    await expectRestored(app)
    expect({ exitCode, said: closing(app) }).toMatchObject({ exitCode: 0 })
    expect(closing(app)).toMatch(/ok {7}big[^]*exit {5}0/)
    expect(await digestOf(join(cwd, `${name}.db`))).toBe(undisturbed)
  }

  it(
    'shows the Run screen; x stops after a batch with exit code 75, and the printed command resumes',
    { timeout: 60_000 },
    async () => {
      const app = start(cwd, words('stopped'), 120, 40)
      await under(app)
      expect(app.alternate()).toBe(true)
      expect(app.screen()).toMatch(/WORKER TABLE/)
      app.type('x')
      await app.until('q leave')
      expect(app.alternate()).toBe(true)
      app.type('q')
      expect(await app.ended).toMatchObject({ exitCode: 75 })
      await expectRestored(app)
      const next = /^\d+:\d\d next {5}sluice (.+)$/m.exec(closing(app))?.[1]
      expect(next?.split(' ')).toEqual(words('stopped'))
      expect(closing(app)).toMatch(/exit {5}75/)
      const status = await run(cwd, ['migration-status', '--database-url', 'sqlite:///stopped.db', '--json'])
      expect(status.events().find(({ type }) => type === 'run')).toMatchObject({ status: 'stopped' })
      await expectGoesOnHere('stopped', next?.split(' '))
    },
  )

  it('--max-runtime also shows the screen, stops the run and exits with 75', { timeout: 60_000 }, async () => {
    const app = start(cwd, [...words('timed'), '--max-runtime', '100ms'], 120, 40)
    // If the import ended before the time limit, its screen would stay open.
    expect(await app.ended).toMatchObject({ exitCode: 75 })
    expect(app.raw()).toContain('\u001b[?1049h')
    await expectRestored(app)
    expect(closing(app)).toMatch(/exit {5}75 the time of --max-runtime/)
  })

  it('ctrl-c stops it with exit code 130', { timeout: 60_000 }, async () => {
    const app = start(cwd, words('ctrl-c'))
    await under(app)
    app.type('ctrl-c')
    expect(await app.ended).toMatchObject({ exitCode: 130 })
    await expectRestored(app)
    expect(closing(app)).toContain('next     sluice import big')
    // Resuming is tested below after an abort, a kill and a hang-up; signals are tested without a terminal.
    if (ALL) await expectGoesOn('ctrl-c')
  })

  it('ctrl-c twice aborts it with exit code 130', { timeout: 60_000 }, async () => {
    const app = start(cwd, words('twice'))
    await under(app)
    // Both in one write: between two writes a run with such short batches may stop, and nothing is left to abort. They
    // may still be read separately on a busy machine.
    app.type('\u0003\u0003')
    expect(await app.ended).toMatchObject({ exitCode: 130 })
    await expectRestored(app)
    expect(closing(app)).toMatch(/exit {5}130 (?:aborted on request|stopped; nothing is lost)/)
    await expectGoesOn('twice')
  })

  it('SIGTERM stops it with exit code 143', { timeout: 60_000 }, async () => {
    const app = start(cwd, words('term'))
    await under(app)
    app.kill('SIGTERM')
    expect(await app.ended).toMatchObject({ exitCode: 143 })
    await expectRestored(app)
    expect(closing(app)).toContain('next     sluice import big')
    if (ALL) await expectGoesOn('term')
  })

  it('after kill -9 the same command ends in the same catalog', { timeout: 60_000 }, async () => {
    const app = start(cwd, words('killed'))
    await under(app)
    app.kill('SIGKILL')
    expect(await app.ended).toMatchObject({ signal: 9 })
    await expectGoesOn('killed')
  })

  it('closing the terminal ends it, and the import can be resumed', { timeout: 60_000 }, async () => {
    const app = start(cwd, words('hung-up'))
    await under(app)
    app.hangUp()
    await app.ended
    expect(() => process.kill(app.pid, 0)).toThrow('ESRCH')
    await expectGoesOn('hung-up')
  })
})
