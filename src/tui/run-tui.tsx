/** Runs the terminal UI: takes over the terminal, returns when the user leaves, and restores the terminal. */
import { PassThrough } from 'node:stream'
import { Box, render, Text } from 'ink'
import { createElement, useLayoutEffect, useState, useSyncExternalStore, type ReactNode } from 'react'
import type { CommandPort } from '../app/command-port.ts'
import type { JoinedRun, Workbench } from '../app/workbench.ts'
import { systemClock, type Clock } from '../shared/clock.ts'
import { TerminalInput } from '../shared/terminal/terminal-input.ts'
import type { Event } from '../model/run/event.ts'
import { FIRST_JOINED } from './session/joined-runs.ts'
import { TuiSession } from './session/session.ts'
import { Memory, type MemoryPort } from './session/memory.ts'
import type { Action } from './state/action.ts'
import { reducer } from './state/reducer.ts'
import type { RememberedStore } from './screens/tables/listed-store.ts'
import { initialState, type Screen, type State } from './state/state.ts'
import { readRemembered, withRemembered } from './state/remembered.ts'
import { createStore } from './state/store.ts'
import { ScreenWriter, terminalSize } from './terminal/screen-writer.ts'
import { clipboardSequence, Takeover } from './terminal/takeover.ts'
import type { LifecycleStatusOperation } from '../partition/operations/lifecycle-status/declaration.ts'
import type { Operation } from '../app/operations/list.ts'
import type { Line } from './draw/line.ts'
import { STYLES, toAscii } from './draw/theme.ts'
import { MARK_CELLS, rowMark } from './terminal/row-mark.ts'
import { drawScreen } from './views/screen.ts'

export type TuiOptions = {
  readonly workbench: Workbench
  readonly tool: string
  readonly ascii: boolean
  /** Lifecycle settings of tables in the config file. */
  readonly lifecycle?: LifecycleStatusOperation
  /** Stores named in the config file, in addition to those that the workbench has open. */
  readonly stores?: readonly RememberedStore[]
  /** Storage of the state for the next session; if absent, nothing is kept. */
  readonly memory?: MemoryPort
  /** Parses printed commands, so that they can be started. */
  readonly commands?: CommandPort
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly clock?: Clock
  /** How long the cursor stays on a row before its details are read, ms. */
  readonly restMs?: number
  readonly initial?: {
    readonly screen?: Screen
    /** Operation that the UI starts at once, for a long-running command. */
    readonly operation?: Operation
    readonly commandLine?: string
    /**
     * `true`: leave when the operation has ended. `false`: stay open until the user leaves. If defined, runTui returns
     * the exit code of the operation.
     */
    readonly leaveWhenDone?: boolean
    /** A run of another program that is shown; it continues after the user leaves. */
    readonly joined?: JoinedRun
  }
  /** Called with each event of every run. Runs are numbered from 1; `run.finished` has the exit code. */
  readonly onEvent?: (run: number, event: Event) => void
}

/** Default of `restMs`, ms: a little longer than the repeat interval of a held key. */
const REST_MS = 120

/** @property isStillRunning true if a run of another program was still active when the user left */
export type TuiResult = { readonly exitCode: number; readonly isStillRunning: boolean }

type Props = { readonly row: number; readonly line: Line; readonly columns: number; readonly ascii: boolean }

/** Runs the UI until the user leaves. Rejects if a bug ended the UI. */
export async function runTui(options: TuiOptions): Promise<TuiResult> {
  const { workbench, stdin, stdout, initial } = options
  const clock = options.clock ?? systemClock
  const screen = new ScreenWriter(stdout)
  const fresh = initialState({
    ...terminalSize(stdout),
    ascii: options.ascii,
    lake: workbench.lake,
    catalog: workbench.catalog,
    now: clock.now(),
    forms: options.commands?.forms() ?? [],
    ...(options.stores === undefined ? {} : { stores: options.stores }),
    ...(workbench.queue === undefined ? {} : { queue: workbench.queue.label }),
    ...(initial?.screen === undefined ? {} : { screen: initial.screen }),
    ...(initial?.joined === undefined ? {} : ({ screen: 'runs', attached: true } as const)),
  })
  const kept = options.memory === undefined ? null : readRemembered(options.memory.read())
  const first = kept === null ? fresh : withRemembered(fresh, kept, initial?.screen)
  const store = createStore<State, Action>(reducer, first)
  const end: {
    signalled: boolean
    crash: { readonly error: unknown } | null
    /** Exit code of the run that the program was started for. */
    exitCode: number | null
    leave: () => void
  } = {
    signalled: false,
    crash: null,
    exitCode: null,
    leave: () => undefined,
  }
  const left = new Promise<void>((resolve) => {
    end.leave = resolve
  })
  const takeover = new Takeover(stdin, stdout, {
    interrupt: () => {
      session.interrupt()
    },
    terminate: (signal) => {
      end.signalled = true
      // The terminal has disconnected: nothing reads the output.
      if (signal === 'SIGHUP') screen.close()
      session.terminate()
    },
    crash: (error) => {
      end.crash ??= { error }
      session.queue.abort()
      end.leave()
    },
  })
  // True once a run has reached its time limit: the program then ends with this run.
  let isTimeOver = false
  const session = new TuiSession(workbench, store, clock, {
    copy: (text) => stdout.write(clipboardSequence(text)),
    suspend: () => {
      screen.hold(true)
      takeover.suspend(() => {
        input.forget()
        store.dispatch({ type: 'resize', ...terminalSize(stdout) })
        screen.hold(false)
      })
    },
    leave: end.leave,
    onEvent: (run, event) => {
      isTimeOver ||= event.type === 'run.finished' && event.error?.code === 'DEADLINE'
      options.onEvent?.(run, event)
    },
    lifecycle: options.lifecycle ?? null,
    restMs: options.restMs ?? REST_MS,
    commands: options.commands ?? null,
  })
  const memory = options.memory === undefined ? null : new Memory(options.memory, store.get)
  if (memory !== null) store.subscribe(() => memory.scheduleSave())
  const resized = (): void => {
    screen.forget()
    store.dispatch({ type: 'resize', ...terminalSize(stdout) })
    screen.repaint()
  }
  stdout.on('resize', resized)
  // If the terminal is resized and resized back before its size is read, no `resize` event is emitted, but the terminal
  // has moved its rows: draw them again.
  const signalled = (): void => screen.repaint()
  process.on('SIGWINCH', signalled)
  takeover.enter()
  const input = new TerminalInput(stdin, (read) => session.read(read))
  input.open()
  const ink = render(<App session={session} />, {
    stdout: screen as unknown as NodeJS.WriteStream,
    // Ink would treat unknown input as text, so it gets no terminal input.
    stdin: new PassThrough() as unknown as NodeJS.ReadStream,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  })
  // A view that throws ends Ink.
  ink.waitUntilExit().then(end.leave, (error: unknown) => {
    end.crash ??= { error }
    session.queue.abort()
    end.leave()
  })
  if (initial?.operation !== undefined) {
    const { operation, commandLine = `sluice ${operation.kind}`, leaveWhenDone } = initial
    if (leaveWhenDone !== undefined) {
      // Run 1 is the run of the command. The user may start later runs.
      session.queue.onEnd = (run, exitCode) => {
        if (run !== 1) return
        end.exitCode = exitCode
        session.onRunEnded(leaveWhenDone || isTimeOver)
      }
    }
    session.queue.add([{ operation, commandLine }])
  }
  if (initial?.joined !== undefined) {
    session.joined.onEnd = (run, exitCode) => {
      if (run !== FIRST_JOINED) return
      end.exitCode = exitCode
      session.onRunEnded(initial.leaveWhenDone ?? false)
    }
    session.joined.show(initial.joined)
  }
  await left
  memory?.close()
  screen.close()
  stdout.off('resize', resized)
  process.off('SIGWINCH', signalled)
  input.close()
  ink.unmount()
  takeover.leave()
  session.queue.dispose()
  if (end.crash !== null) throw end.crash.error
  const isStillRunning = initial?.joined !== undefined && end.exitCode === null
  // The last event of the run has its exit code, so printed lines and exit code agree.
  return { exitCode: end.exitCode ?? exitCodeOf(session, end.signalled), isStillRunning }
}

/** The root component: draws the rows that each state change alters. Keys go to the session, not through Ink. */
function App({ session }: { readonly session: TuiSession }): ReactNode {
  const state = useSyncExternalStore(session.store.subscribe, session.store.get)
  const [drawn] = useState(() => new DrawnRows())
  const lines = drawScreen(state)
  useLayoutEffect(() => {
    drawn.show(lines)
  })
  return (
    <Box flexDirection="column" flexShrink={0} width={state.size.columns + MARK_CELLS}>
      {drawn.missing(lines).map(({ line, row }, i) => (
        <Row key={i} row={row} line={line} columns={state.size.columns} ascii={state.ascii} />
      ))}
    </Box>
  )
}

/** True if two lines have the same text in the same tones. */
function sameLine(a: Line, b: Line): boolean {
  return a.length === b.length && a.every((s, i) => s.text === b[i]?.text && s.tone === b[i].tone)
}

/**
 * One row of the terminal, prefixed with a mark that encodes the row number. It is created without an outer `<Text>`,
 * because only then can it have an exact width and height, and Yoga does not measure it. Ink keeps every measured text
 * in a map that is never emptied, so a long run would fill the memory.
 */
function Row({ row, line, columns, ascii }: Props): ReactNode {
  const style = { width: columns + MARK_CELLS, height: 1, flexShrink: 0, textWrap: 'truncate-end' }
  return createElement(
    'ink-text',
    { style },
    rowMark(row),
    ...line.map((s, i) => (
      <Text key={i} {...STYLES[s.tone]}>
        {ascii ? toAscii(s.text) : s.text}
      </Text>
    )),
  )
}

/** Keeps the rows on the terminal, to find the rows that must be drawn. */
class DrawnRows {
  #shown: readonly Line[] = []

  /** The rows of `lines` that differ from what was shown last, with their index from 0. */
  missing(lines: readonly Line[]): readonly { readonly line: Line; readonly row: number }[] {
    return lines.flatMap((line, row) => {
      const old = this.#shown[row]
      return old !== undefined && sameLine(old, line) ? [] : [{ line, row }]
    })
  }

  /** Records the rows on the terminal. Call after the commit, because React may discard a render. */
  show(lines: readonly Line[]): void {
    this.#shown = lines
  }
}

function exitCodeOf(session: TuiSession, signalled: boolean): number {
  if (signalled) return 143
  if (session.state.interrupted) return 130
  if (session.queue.stopped) return 75
  return session.queue.lastExit === 0 ? 0 : 1
}
