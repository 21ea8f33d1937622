/** Faults between a program and D1, on demand. */
import type http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** A fault for the next matching request; requests with `?quiet` in their address are neither affected nor counted. */
export type D1Fault = {
  /**
   * `status`: answered with the status, not executed. `after`: executed, then answered with the status. `cut`: the
   * connection ends, not executed. `later`: the connection ends, executed afterwards. `lost`: executed, the connection
   * ends without an answer. `half`: executed, the connection ends inside the answer. `mute`: executed, never answered.
   * `slow`: answered after `ms`.
   */
  readonly kind: 'status' | 'after' | 'cut' | 'later' | 'lost' | 'half' | 'mute' | 'slow'
  /** A regular expression for the body of the request. */
  readonly match?: string
  /** Matching requests to let through first. */
  readonly skip?: number
  /** Number of requests that are affected; default 1. */
  readonly count?: number
  readonly status?: number
  readonly code?: number
  readonly message?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly ms?: number
}

/** A fault whose counters are decremented. */
export type Pending = { -readonly [K in keyof D1Fault]: D1Fault[K] }

export type Reply = {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The fault for this request, or null. */
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

/** @param execute processes the request normally */
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

/** An error answer in the format of the API. */
export function refusal(status: number, code: number, message: string): Reply {
  return { status, body: JSON.stringify({ result: [], errors: [{ code, message }], messages: [], success: false }) }
}

export function send(response: http.ServerResponse, { status, body, headers = {} }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body)
}
