/** Tunnel to a server. Names, certificates and signatures remain those of the server. */

export type ServerAddress =
  | { readonly host: string; readonly port: number }
  /** A socket file. */
  | { readonly path: string }

/** Address of a local forwarder to connect to instead of the server. */
export type Route = (server: ServerAddress) => Promise<{ readonly host: string; readonly port: number }>
