/** Base of stream wrappers: passes on everything except the changes. */
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import type { ChangeStream } from '../../../model/follow/port.ts'

export abstract class StreamWrapper implements ChangeStream {
  protected readonly stream: ChangeStream

  constructor(stream: ChangeStream) {
    this.stream = stream
  }

  get end(): LogPosition {
    return this.stream.end
  }

  get emptyForMs(): number | null {
    return this.stream.emptyForMs ?? null
  }

  abstract next(waitMs: number): Promise<readonly Change[]>

  confirm(position: LogPosition): void {
    this.stream.confirm(position)
  }

  ask(): void {
    this.stream.ask()
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.stream[Symbol.asyncDispose]()
  }
}
