/** Commands of the user's, by the shell. */
import { spawn } from 'node:child_process'

/**
 * @param env variables beside those of this program
 * @param timeoutMs after so long it is killed
 * @returns null where it ended with 0; else in words how it ended: its exit code or signal. Never throws
 */
export async function runShell(
  command: string,
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<string | null> {
  return await new Promise((resolve) => {
    const child = spawn(command, { shell: true, stdio: 'ignore', env: { ...process.env, ...env } })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    const done = (why: string | null): void => {
      clearTimeout(timer)
      resolve(why)
    }
    child.on('error', (error) => done(`could not be run: ${error.message}`))
    child.on('exit', (code, signal) => done(code === 0 ? null : `ended with ${code ?? signal ?? 'nothing'}`))
  })
}
