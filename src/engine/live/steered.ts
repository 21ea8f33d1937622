/** What is steered over a control socket. */
import type { Wish } from '../operation.ts'

export type Steered = {
  /** As the socket tells it. */
  state(): Readonly<Record<string, unknown>>
  /** The wish as it is going to be heeded. @throws SluiceError BAD_FLAG for one that cannot be */
  checked(wish: Wish): Wish
  /** @throws SluiceError as `checked` */
  heed(wish: Wish): void
}
