import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { readAddress } from './address.js';

/** What a certificate file of DATABASE_URL is for. */
type CertificateKind = 'database_authority' | 'database_client';

/**
 * When the certificates in the files that DATABASE_URL names expire. A file with several certificates counts with the
 * first. Files that cannot be read now are left out, because they were read at the start.
 */
export function certificatesOf(databaseUrl: string | null): [CertificateKind, Date][] {
  const { ca, cert } = filesOf(databaseUrl);
  return [...expiryOf('database_authority', ca), ...expiryOf('database_client', cert)];
}

function filesOf(databaseUrl: string | null): ConnectionOptions {
  try {
    const ssl = databaseUrl === null ? false : readAddress(databaseUrl).ssl;
    return ssl === false ? {} : ssl;
  } catch {
    return {};
  }
}

function expiryOf(kind: CertificateKind, file: ConnectionOptions['ca']): [CertificateKind, Date][] {
  if (typeof file !== 'string') return [];
  try {
    return [[kind, new Date(new X509Certificate(file).validTo)]];
  } catch {
    return [];
  }
}
