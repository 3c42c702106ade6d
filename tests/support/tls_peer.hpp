// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

namespace catbird::test {

/// An HTTPS server on loopback with a certificate made on the spot, self-signed for `name`.
/// Answers every request with 200 "over tls". For client tests only.
class TlsPeer {
 public:
  explicit TlsPeer(const std::string& name) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes with write(2), to clients that hang up
    key_.reset(EVP_EC_gen("P-256"));
    make_certificate(name);
    context_.reset(SSL_CTX_new(TLS_server_method()));
    EXPECT_EQ(SSL_CTX_use_certificate(context_.get(), certificate_.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context_.get(), key_.get()), 1);
    listen();
    thread_ = std::jthread([this] { serve(); });
  }
  ~TlsPeer() {
    ::shutdown(listener_, SHUT_RDWR);  // Wakes accept().
    thread_.join();
    ::close(listener_);
  }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  std::uint16_t port() const { return port_; }
  int requests() const { return requests_; }
  std::string certificate_pem() const {
    std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509(out.get(), certificate_.get());
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }

 private:
  template <auto Free>
  struct Deleter {
    void operator()(auto* pointer) const { Free(pointer); }
  };

  void make_certificate(const std::string& name) {
    certificate_.reset(X509_new());
    X509* const x509 = certificate_.get();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key_.get());
    X509_NAME* const subject = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509, subject);
    std::string const alternative = "DNS:" + name;
    X509_EXTENSION* const extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative.c_str());
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
    EXPECT_GT(X509_sign(x509, key_.get(), EVP_sha256()), 0);
  }

  void listen() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }

  void serve() {
    while (true) {
      int const descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      timeval const ceiling{20, 0};
      ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &ceiling, sizeof ceiling);
      std::unique_ptr<SSL, Deleter<SSL_free>> ssl(SSL_new(context_.get()));
      SSL_set_fd(ssl.get(), descriptor);
      if (SSL_accept(ssl.get()) == 1) answer(ssl.get());
      ::close(descriptor);
    }
  }

  void answer(SSL* ssl) {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      int const count = SSL_read(ssl, buffer, sizeof buffer);
      if (count <= 0) return;
      request.append(buffer, static_cast<std::size_t>(count));
    }
    ++requests_;
    std::string const reply = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nover tls";
    SSL_write(ssl, reply.data(), static_cast<int>(reply.size()));
    SSL_shutdown(ssl);
  }

  std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>> key_;
  std::unique_ptr<X509, Deleter<X509_free>> certificate_;
  std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>> context_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_{0};
  std::jthread thread_;
};

}  // namespace catbird::test
