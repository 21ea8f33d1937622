/** Queries the command and the steering state of another run on this machine. */
import { createConnection } from 'node:net'
import { dirname } from 'node:path'
import { refuseOtherOwner } from '../../run/socket-folder.ts'
import { controlSocketPath } from './control-socket.ts'

const ANSWER_MS = 1000
const MAX_ANSWER_LENGTH = 10_000

/** @property rate rows per second, null for no limit @property command word of the command, such as `copy` */
export type RunSettings = { readonly paused: boolean; readonly rate: number | null; readonly command: string | null }

/**
 * @param runId as events show it @param env determines the folder of the sockets
 * @returns null if no reply arrives: the run has ended, or belongs to another user or machine
 */
export async function askRun(
  runId: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<RunSettings | null> {
  const path = controlSocketPath(runId, env)
  try {
    refuseOtherOwner(dirname(path))
  } catch {
    return null
  }
  const line = await new Promise<string>((resolve) => {
    let text = ''
    const socket = createConnection(path)
    const end = (answer: string): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setEncoding('utf8')
    socket.setTimeout(ANSWER_MS, () => end(''))
    socket.once('connect', () => socket.write('{"get":true}\n'))
    socket.on('data', (piece: string) => {
      text += piece
      if (text.includes('\n') || text.length > MAX_ANSWER_LENGTH) end(text)
    })
    socket.once('end', () => end(''))
    socket.once('error', () => end(''))
  })
  try {
    const { state } = JSON.parse(line) as { readonly state?: Readonly<Record<string, unknown>> }
    if (state === undefined) return null
    const { paused, rate, command } = state
    return {
      paused: paused === true,
      rate: typeof rate === 'number' ? rate : null,
      command: typeof command === 'string' ? command : null,
    }
  } catch {
    return null
  }
}
