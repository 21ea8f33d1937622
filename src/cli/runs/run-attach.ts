/** `sluice attach`: watches a run of this machine. Leaving does not stop it. */
import path from 'node:path'
import { joinRun } from '../../app/live/join.ts'
import { runsIn } from '../../engine/run/socket-folder.ts'
import type { JoinedRun } from '../../app/workbench.ts'
import { isoTime } from '../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { controlRun } from './ctl.ts'
import { endHere } from './runs-here.ts'
import { withProgram } from '../output/program-name.ts'
import type { CliContext } from '../ports.ts'
import type { CliSession } from '../session.ts'
import { EXIT_OF_SIGNAL, type Signal } from '../signals.ts'

export type AttachRequest = {
  readonly run: string | null
  readonly env: CliContext['env']
  /** Path of a run's control socket. */
  readonly socketPath: (runId: string) => string
}

/**
 * The requested run; without an id, the only active run on this machine.
 * @throws SluiceError NO_SUCH_PATH if there is no such run; without an id, also if several runs are active
 */
export async function joinRequestedRun({ run, env, socketPath }: AttachRequest): Promise<JoinedRun> {
  if (run !== null) return await joinedOrEnded(run, env)
  const live = await liveRuns(socketPath)
  // A silent run cannot be watched, so it is ignored if another run answers.
  const answering = live.filter(({ command }) => command !== null)
  const [only, ...more] = answering.length === 0 ? live : answering
  const folder = path.dirname(socketPath('0'))
  if (only === undefined) {
    throw new SluiceError('NO_SUCH_PATH', 'no run is active on this machine', {
      where: folder,
      hint: 'sluice runs lists those that have ended; to attach to a run of another machine, run the command on that machine',
    })
  }
  if (more.length === 0) return await joinRun(only.run, env, (id) => endHere(env, id))
  throw new SluiceError(
    'NO_SUCH_PATH',
    `no run is named, but ${live.length} runs are active on this machine: ${live.map(shown).join('; ')}`,
    {
      where: folder,
      hint: `name one of them: sluice attach ${only.run}`,
    },
  )
}

async function joinedOrEnded(run: string, env: AttachRequest['env']): Promise<JoinedRun> {
  try {
    return await joinRun(run, env, (id) => endHere(env, id))
  } catch (thrown) {
    const error = asSluiceError(thrown)
    const end = error.code === 'NO_SUCH_PATH' ? await endHere(env, run) : null
    if (end === null) throw error
    throw new SluiceError('NO_SUCH_PATH', `run ${run} ended ${isoTime(end.endedAt)} with exit ${end.exitCode}`, {
      ...(end.error === null ? {} : { reason: end.error }),
      hint: `sluice report ${run} shows it; sluice runs --here lists the runs of this machine`,
    })
  }
}

/** @property command null if the run does not answer */
type ActiveRun = { readonly run: string; readonly command: string | null }

/** Active runs; sockets left behind by killed runs are skipped. */
async function liveRuns(socketPath: (runId: string) => string): Promise<readonly ActiveRun[]> {
  const asked = runsIn(path.dirname(socketPath('0'))).map(async (run): Promise<readonly ActiveRun[]> => {
    try {
      const { command } = await controlRun(socketPath(run), { get: true })
      return [{ run, command: typeof command === 'string' ? command : 'a run' }]
    } catch (thrown) {
      return asSluiceError(thrown).code === 'NO_SUCH_PATH' ? [] : [{ run, command: null }]
    }
  })
  return (await Promise.all(asked)).flat()
}

const shown = ({ run, command }: ActiveRun): string => `${run} ${command ?? 'does not answer'}`

/** Message after the user has left a run, which continues. @param program how hints call the program */
export function continuesText(runId: string, program: string | undefined): string {
  return withProgram(`run ${runId} continues; to watch it again: sluice attach ${runId}`, program)
}

/**
 * Watches without the UI: prints what the run itself would print.
 * @returns the exit code of the run if it ends while watched; the exit code of the signal if a signal ends the watching
 */
export async function watchRun(
  session: CliSession,
  joined: JoinedRun,
  { signals, program }: Pick<CliContext, 'signals' | 'program'>,
): Promise<number> {
  let left: Signal | null = null
  let run = joined
  const listeners = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => {
    const leave = (): void => {
      left = signal
      run.leave()
    }
    signals.on(signal, leave)
    return () => signals.removeListener(signal, leave)
  })
  try {
    let seen = 0
    // Print the summary of earlier events only once.
    let isFirst = true
    for (;;) {
      const { snapshot } = run
      for (const event of snapshot) if (isFirst || event.seq > seen) session.show(event)
      for (const { seq } of snapshot) seen = Math.max(seen, seq)
      isFirst = false
      run.subscribe((event) => {
        seen = event.seq
        session.show(event)
      })
      const exitCode = await run.done
      if (left !== null) {
        session.output.talk(`sluice: ${continuesText(run.about.runId, program)}\n`)
        return EXIT_OF_SIGNAL[left]
      }
      const again = run.again()
      if (again === null) return exitCode
      run = again
    }
  } finally {
    for (const remove of listeners) remove()
  }
}
