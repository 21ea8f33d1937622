/** Runs commands of the user with the shell. */
import { spawn, type ChildProcess } from 'node:child_process'

/** Linux limits a variable to 128 KiB (MAX_ARG_STRLEN); a character has at most four bytes. */
const LONGEST = 30_000

/**
 * @param env added to this program's variables; NUL becomes U+FFFD, and values are cut after 30,000 characters
 * @param timeoutMs after this time the command is killed with its child processes
 * @returns null if the exit code is 0; otherwise a text with the exit code or signal. Never throws
 */
export async function runShell(
  command: string,
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<string | null> {
  return await new Promise((resolve) => {
    let child: ChildProcess
    try {
      child = spawn(command, {
        shell: true,
        stdio: 'ignore',
        detached: true,
        env: { ...process.env, ...shortened(env) },
      })
    } catch (error) {
      resolve(couldNotBeRun(error))
      return
    }
    const timer = setTimeout(() => killAll(child), timeoutMs)
    const done = (why: string | null): void => {
      clearTimeout(timer)
      resolve(why)
    }
    child.on('error', (error) => done(couldNotBeRun(error)))
    child.on('exit', (code, signal) => done(code === 0 ? null : `ended with ${code ?? signal ?? 'nothing'}`))
  })
}

function shortened(env: Readonly<Record<string, string>>): Record<string, string> {
  const texts = Object.entries(env).map(([name, value]) => {
    const whole = value.replaceAll('\0', '\u{fffd}')
    return [name, whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole]
  })
  return Object.fromEntries(texts) as Record<string, string>
}

/** Kills the shell and its children, which are one process group. */
function killAll({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The process group has ended already.
  }
}

function couldNotBeRun(error: unknown): string {
  return `could not be run: ${error instanceof Error ? error.message : String(error)}`
}
