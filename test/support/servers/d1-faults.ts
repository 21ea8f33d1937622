/** What goes wrong between a program and D1, on demand. */
import type http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** What goes wrong with the next request that fits; one with `?quiet` in its address is spared, and not counted. */
export type D1Fault = {
  /**
   * `status`: answered without being executed. `after`: executed, and answered with the status all the same. `cut`: the connection ends before
   * anything is executed; `later`: so too, and it is executed afterwards. `lost`: executed, and the connection ends without an answer; `half`: in the
   * middle of it. `mute`: executed, and never answered. `slow`: answered after a while.
   */
  readonly kind: 'status' | 'after' | 'cut' | 'later' | 'lost' | 'half' | 'mute' | 'slow'
  /** A regular expression over the body of the request. */
  readonly match?: string
  /** Requests that fit and go through before. */
  readonly skip?: number
  /** Requests that it happens to; 1 unless told. */
  readonly count?: number
  readonly status?: number
  readonly code?: number
  readonly message?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly ms?: number
}

/** A fault whose numbers count down. */
export type Pending = { -readonly [K in keyof D1Fault]: D1Fault[K] }

export type Reply = {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The fault that this request meets, if one fits. */
export function due(faults: Pending[], body: string): D1Fault | null {
  const at = faults.findIndex(({ match }) => match === undefined || new RegExp(match).test(body))
  const fault = faults[at]
  if (fault === undefined) return null
  if ((fault.skip ?? 0) > 0) {
    fault.skip = (fault.skip ?? 0) - 1
    return null
  }
  fault.count = (fault.count ?? 1) - 1
  if (fault.count <= 0) faults.splice(at, 1)
  return { ...fault }
}

/** @param execute lets the request be answered as it should */
export async function misbehave(
  fault: D1Fault,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  execute: () => Promise<Reply>,
): Promise<void> {
  const { kind, status = 503, code = 10001, message = 'Service temporarily unavailable', headers = {}, ms = 0 } = fault
  switch (kind) {
    case 'status':
      return send(response, { ...refusal(status, code, message), headers })
    case 'after':
      await execute()
      return send(response, { ...refusal(status, code, message), headers })
    case 'cut':
      return void request.socket.destroy()
    case 'later':
      request.socket.destroy()
      await sleep(ms)
      return void (await execute())
    case 'lost':
      await execute()
      return void request.socket.destroy()
    case 'half': {
      const { body } = await execute()
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      response.write(body.slice(0, body.length / 2), () => request.socket.destroy())
      return
    }
    case 'mute':
      return void (await execute())
    case 'slow': {
      const reply = await execute()
      await sleep(ms)
      return send(response, reply)
    }
  }
}

/** An answer as the API words its failures. */
export function refusal(status: number, code: number, message: string): Reply {
  return { status, body: JSON.stringify({ result: [], errors: [{ code, message }], messages: [], success: false }) }
}

export function send(response: http.ServerResponse, { status, body, headers = {} }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body)
}
