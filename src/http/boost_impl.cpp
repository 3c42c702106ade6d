// SPDX-License-Identifier: MIT

// The one translation unit that compiles Asio and Beast themselves (separate compilation, see
// src/CMakeLists.txt); every other file of the program only declares them. No warnings of ours
// apply to their source.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
