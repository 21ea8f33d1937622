// A proxy in its own process that simulates a distant server: a timer delays every piece of data.
// Usage: node far-proxy.mjs PORT MS. Prints the port it listens on. MS is the round trip time; connecting takes one.
import net from 'node:net'

const [target, roundTrip] = process.argv.slice(2).map(Number)

function passOn(from, to) {
  const later = (act) => setTimeout(() => act(), roundTrip / 2)
  from.on('data', (piece) => later(() => to.destroyed || to.write(piece)))
  from.on('end', () => later(() => to.end()))
  from.on('close', () => later(() => to.destroy()))
}

const proxy = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
  client.on('error', () => client.destroy())
  setTimeout(() => {
    const server = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    server.on('error', () => server.destroy())
    passOn(client, server)
    // If the server speaks first, it accepted the client half a round trip after the client connected.
    setTimeout(() => passOn(server, client), roundTrip / 2)
    client.resume()
  }, roundTrip)
})
proxy.listen(0, '127.0.0.1', () => process.stdout.write(`${proxy.address().port}\n`))
process.on('disconnect', () => process.exit())
