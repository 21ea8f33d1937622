/**
 * A network with a limit of bytes per second in each direction, shared by all connections: called with HOST PORT
 * BYTES-PER-SECOND, prints the port at which it listens. It is a separate program, so that it does not compete for CPU
 * time with the process that it slows down.
 */
import net from 'node:net'

const [, , host = '', port = '', most = ''] = process.argv
const rate = Number(most)
/** Bytes that may pass at once; small, so that rates over seconds are the requested ones. */
const BURST = rate / 20

/**
 * One direction.
 * @returns how long a sender of so many bytes must wait; they are deducted at once, so that waiting senders follow one
 * after the other
 */
function way() {
  let [left, at] = [BURST, performance.now()]
  return (/** @type {number} */ bytes) => {
    const now = performance.now()
    left = Math.min(BURST, left + ((now - at) / 1000) * rate) - bytes
    at = now
    return left >= 0 ? 0 : (-left / rate) * 1000
  }
}
const [there, back] = [way(), way()]

/** @param {net.Socket} from @param {net.Socket} to @param {(bytes: number) => number} wait */
function carry(from, to, wait) {
  from.on('data', (chunk) => {
    const late = wait(chunk.length)
    const taken = to.write(chunk)
    if (late < 1 && taken) return
    from.pause()
    const go = () => setTimeout(() => from.resume(), late)
    if (taken) go()
    else to.once('drain', go)
  })
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}

const server = net.createServer({ noDelay: true }, (near) => {
  const far = net.connect({ host, port: Number(port), noDelay: true })
  carry(near, far, there)
  carry(far, near, back)
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${/** @type {net.AddressInfo} */ (server.address()).port}\n`)
})
